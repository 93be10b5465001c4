#include "base/options/option_value.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/options/duration.h"

static void *member(const struct option_spec *spec, void *values)
{
    return (char *)values + spec->offset;
}

static const void *member_const(const struct option_spec *spec, const void *values)
{
    return (const char *)values + spec->offset;
}

static bool is_text(const struct option_spec *spec)
{
    return spec->type == OPTION_TEXT || spec->type == OPTION_SECRET;
}

void option_value_release(const struct option_spec *spec, void *values)
{
    char **text = member(spec, values);

    if (!is_text(spec)) {
        return;
    }
    if (*text != NULL && spec->type == OPTION_SECRET) {
        bytes_wipe(*text, strlen(*text));
    }
    free(*text);
    *text = NULL;
}

static int boolean_parse(const char *text, bool *ret_value)
{
    static const char *const truths[] = {"true", "1", "yes", "on", "t"};
    static const char *const lies[] = {"false", "0", "no", "off", "f", ""};

    for (size_t i = 0; i < ARRAY_LENGTH(truths); i++) {
        if (strcasecmp(text, truths[i]) == 0) {
            *ret_value = true;
            return 0;
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(lies); i++) {
        if (strcasecmp(text, lies[i]) == 0) {
            *ret_value = false;
            return 0;
        }
    }
    return -EINVAL;
}

static int integer_parse(const char *text, int64_t *ret_value)
{
    char *end;

    if (!isdigit((unsigned char)*text) && *text != '-') {
        return -EINVAL;
    }
    errno = 0;
    long long value = strtoll(text, &end, 10);

    if (errno != 0 || end == text || *end != '\0') {
        return -EINVAL;
    }
    *ret_value = value;
    return 0;
}

static int text_set(const struct option_spec *spec, const char *text, void *values)
{
    char **target = member(spec, values);

    option_value_release(spec, values);
    *target = strdup(text);
    return *target == NULL ? -ENOMEM : 0;
}

static int boolean_set(const struct option_spec *spec, const char *name, const char *text,
                       void *values, char *error)
{
    int failed = boolean_parse(text, member(spec, values));

    if (failed != 0) {
        snprintf(error, OPTIONS_ERROR_SIZE, "%s must be true or false but is %s", name, text);
    }
    return failed;
}

static int number_set(const struct option_spec *spec, const char *name, const char *text,
                      void *values, char *error)
{
    int64_t value = 0;
    bool is_duration = spec->type == OPTION_DURATION;
    int failed = is_duration ? duration_parse(text, &value) : integer_parse(text, &value);

    if (failed != 0 && is_duration) {
        snprintf(error, OPTIONS_ERROR_SIZE, "cannot parse duration in %s=%s", name, text);
        return failed;
    }
    if (failed != 0) {
        snprintf(error, OPTIONS_ERROR_SIZE, "%s must be a whole number but is %s", name, text);
        return failed;
    }
    if (value < spec->min || value > spec->max) {
        snprintf(error, OPTIONS_ERROR_SIZE, "%s must be between %lld and %lld%s but is %s", name,
                 (long long)spec->min, (long long)spec->max, is_duration ? " ms" : "", text);
        return -ERANGE;
    }
    memcpy(member(spec, values), &value, sizeof value);
    return 0;
}

static int choice_set(const struct option_spec *spec, const char *name, const char *text,
                      void *values, char *error)
{
    int value = OPTION_VALUE_UNKNOWN;
    char names[OPTION_CHOICES_SIZE];
    bool is_found = option_choices_find(spec->choices, text, &value);

    memcpy(member(spec, values), &value, sizeof value);
    if (is_found) {
        return 0;
    }
    option_choices_write(spec->choices, ", ", " or ", names, sizeof names);
    snprintf(error, OPTIONS_ERROR_SIZE,
             spec->choices->has_old_words ? "%s can be %s but not %s" : "%s must be %s, not %s",
             spec->env == NULL ? name : spec->env, names, text);
    return -ENOENT;
}

int option_value_set(const struct option_spec *spec, const char *name, const char *text,
                     void *values, char error[static OPTIONS_ERROR_SIZE])
{
    switch (spec->type) {
    case OPTION_TEXT:
    case OPTION_SECRET:
        return text_set(spec, text, values);
    case OPTION_BOOLEAN:
    case OPTION_GO_BOOLEAN:
        return boolean_set(spec, name, text, values, error);
    case OPTION_INTEGER:
    case OPTION_DURATION:
        return number_set(spec, name, text, values, error);
    case OPTION_CHOICE:
        return choice_set(spec, name, text, values, error);
    }
    UNREACHABLE();
}

bool option_value_is_unknown(const struct option_spec *spec, const void *values)
{
    return spec->type == OPTION_CHOICE &&
           *(const int *)member_const(spec, values) == OPTION_VALUE_UNKNOWN;
}

bool option_value_is_boolean(const struct option_spec *spec)
{
    return spec->type == OPTION_BOOLEAN || spec->type == OPTION_GO_BOOLEAN;
}

bool option_value_is_empty(const struct option_spec *spec, const void *values)
{
    switch (spec->type) {
    case OPTION_TEXT:
    case OPTION_SECRET:
        return text_is_empty(*(char *const *)member_const(spec, values));
    case OPTION_INTEGER:
    case OPTION_DURATION:
        return *(const int64_t *)member_const(spec, values) == 0;
    case OPTION_BOOLEAN:
    case OPTION_GO_BOOLEAN:
    case OPTION_CHOICE:
        return false;
    }
    UNREACHABLE();
}

static const char *choice_name(const struct option_spec *spec, int value)
{
    for (size_t i = 0; i < spec->choices->count; i++) {
        if (spec->choices->list[i].value == value) {
            return spec->choices->list[i].name;
        }
    }
    return "";
}

void option_value_write(const struct option_spec *spec, const void *values, char *text,
                        size_t text_size)
{
    const void *value = member_const(spec, values);

    switch (spec->type) {
    case OPTION_TEXT:
        snprintf(text, text_size, "%s", *(char *const *)value == NULL ? "" : *(char *const *)value);
        return;
    case OPTION_SECRET:
        snprintf(text, text_size, "%s", text_is_empty(*(char *const *)value) ? "" : "(secret)");
        return;
    case OPTION_BOOLEAN:
    case OPTION_GO_BOOLEAN:
        snprintf(text, text_size, "%s", *(const bool *)value ? "true" : "false");
        return;
    case OPTION_INTEGER:
        snprintf(text, text_size, "%lld", (long long)*(const int64_t *)value);
        return;
    case OPTION_DURATION:
        snprintf(text, text_size, "%lldms", (long long)*(const int64_t *)value);
        return;
    case OPTION_CHOICE:
        snprintf(text, text_size, "%s", choice_name(spec, *(const int *)value));
        return;
    }
    UNREACHABLE();
}
