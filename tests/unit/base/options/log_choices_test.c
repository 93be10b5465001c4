/* Goal: levels and formats of the log go by the names that practable/relay has for them, levels in
 * any case. Method: each name, what it stands for, and the list that refusals show. */
#include <criterion/criterion.h>

#include "base/attributes.h"
#include "base/log.h"
#include "base/options/log_choices.h"

Test(log_choices, know_each_level)
{
    static const struct {
        const char *name;
        int level; /* -1: none */
    } names[] = {
        {"panic", LOG_LEVEL_PANIC},
        {"fatal", LOG_LEVEL_FATAL},
        {"error", LOG_LEVEL_ERROR},
        {"warn", LOG_LEVEL_WARN},
        {"warning", LOG_LEVEL_WARN},
        {"INFO", LOG_LEVEL_INFO},
        {"Debug", LOG_LEVEL_DEBUG},
        {"trace", LOG_LEVEL_TRACE},
        {"", -1},
        {"inf", -1},
        {"infos", -1},
        {"0", -1},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        int level = -1;

        cr_assert_eq(option_choices_find(&log_level_choices, names[i].name, &level),
                     names[i].level >= 0, "%s", names[i].name);
        cr_assert_eq(level, names[i].level, "%s", names[i].name);
    }
}

Test(log_choices, are_listed_in_the_known_order)
{
    char text[128];

    option_choices_write(&log_level_choices, ", ", " or ", text, sizeof text);
    cr_assert_str_eq(text, "trace, debug, info, warn, error, fatal or panic");
    option_choices_write(&log_format_choices_old, ", ", " or ", text, sizeof text);
    cr_assert_str_eq(text, "json or text");
}

/* practable/relay lower-cases what it is given. */
Test(log_choices, know_each_format_in_any_case)
{
    int format = -1;

    cr_assert(option_choices_find(&log_format_choices_old, "json", &format));
    cr_assert_eq(format, LOG_FORMAT_JSON);
    cr_assert(option_choices_find(&log_format_choices_old, "Text", &format));
    cr_assert_eq(format, LOG_FORMAT_TEXT);
    cr_assert(!option_choices_find(&log_format_choices_old, "xml", &format));
}
