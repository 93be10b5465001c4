#include "base/options/log_choices.h"

#include "base/attributes.h"
#include "base/log.h"

static const struct option_choice levels[] = {
    {.name = "trace", .value = LOG_LEVEL_TRACE},
    {.name = "debug", .value = LOG_LEVEL_DEBUG},
    {.name = "info", .value = LOG_LEVEL_INFO},
    {.name = "warn", .value = LOG_LEVEL_WARN},
    {.name = "warning", .value = LOG_LEVEL_WARN, .is_alias = true}, /* as log lines have it */
    {.name = "error", .value = LOG_LEVEL_ERROR},
    {.name = "fatal", .value = LOG_LEVEL_FATAL},
    {.name = "panic", .value = LOG_LEVEL_PANIC},
};

static const struct option_choice formats[] = {
    {.name = "json", .value = LOG_FORMAT_JSON},
    {.name = "text", .value = LOG_FORMAT_TEXT},
};

const struct option_choices log_level_choices = {
    .list = levels, .count = ARRAY_LENGTH(levels), .ignores_case = true};

const struct option_choices log_level_choices_old = {
    .list = levels, .count = ARRAY_LENGTH(levels), .ignores_case = true, .has_old_words = true};

const struct option_choices log_format_choices_old = {
    .list = formats, .count = ARRAY_LENGTH(formats), .ignores_case = true, .has_old_words = true};
