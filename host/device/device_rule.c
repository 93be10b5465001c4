#include "host/device/device_rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static bool fail(char *error, const char *reason)
{
    snprintf(error, JSON_ANSWER_ERROR_SIZE, "%s", reason);
    return false;
}

void device_rule_release(struct device_rule *rule)
{
    for (size_t i = 0; i < rule->words_count; i++) {
        free(rule->words[i]);
    }
    free(rule->stream);
    free(rule->serial);
    *rule = (struct device_rule){0};
}

static bool read_words(struct device_rule *rule, struct json_value list, char *error)
{
    struct json_value element;
    struct bytes rest = list.text;

    if (list.kind != JSON_ARRAY) {
        return fail(error, "exec is not a list of words");
    }
    while (json_reader_next_element(&rest, &element)) {
        if (rule->words_count == DEVICE_RULE_WORDS_MAX) {
            return fail(error, "exec has too many words");
        }
        if (element.kind != JSON_STRING) {
            return fail(error, "exec is not a list of words");
        }
        if (!json_answer_take_text(element, "exec", &rule->words[rule->words_count], error)) {
            return false;
        }
        rule->words_count++;
    }
    return true;
}

static bool read_framing(struct device_rule *rule, struct json_value value, char *error)
{
    if (value.kind == JSON_STRING && json_reader_text_is(value, "raw")) {
        rule->is_raw = true;
        return true;
    }
    return (value.kind == JSON_STRING && json_reader_text_is(value, "lines")) ||
           fail(error, "framing is neither lines nor raw");
}

static bool read_member(struct device_rule *rule, struct json_value name, struct json_value value,
                        char *error)
{
    if (json_reader_text_is(name, "stream")) {
        return json_answer_take_text(value, "Rule.stream", &rule->stream, error);
    }
    if (json_reader_text_is(name, "serial")) {
        return json_answer_take_text(value, "Rule.serial", &rule->serial, error);
    }
    if (json_reader_text_is(name, "exec")) {
        return read_words(rule, value, error);
    }
    if (json_reader_text_is(name, "framing")) {
        return read_framing(rule, value, error);
    }
    if (json_reader_text_is(name, "speed")) {
        return (value.kind == JSON_NUMBER && bytes_to_uint64(value.text, &rule->speed) == 0) ||
               fail(error, "speed is not a number of baud");
    }
    return true;
}

static bool read_members(struct device_rule *rule, struct json_value object, char *error)
{
    struct json_value name, value;
    struct bytes rest = object.text;

    while (object.kind == JSON_OBJECT && json_reader_next_member(&rest, &name, &value)) {
        if (!read_member(rule, name, value, error)) {
            return false;
        }
    }
    if (text_is_empty(rule->stream)) {
        return fail(error, "a device without a stream");
    }
    return text_is_empty(rule->serial) != (rule->words_count == 0) ||
           fail(error, "a device has either serial or exec");
}

bool device_rule_read(struct json_value value, struct device_rule *ret_rule,
                      char error[static JSON_ANSWER_ERROR_SIZE])
{
    struct device_rule rule = {.speed = DEVICE_RULE_SPEED_DEFAULT};

    if (!read_members(&rule, value, error)) {
        device_rule_release(&rule);
        return false;
    }
    *ret_rule = rule;
    return true;
}

static bool texts_equal(const char *a, const char *b)
{
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

bool device_rule_equals(const struct device_rule *a, const struct device_rule *b)
{
    if (!texts_equal(a->stream, b->stream) || !texts_equal(a->serial, b->serial) ||
        a->speed != b->speed || a->is_raw != b->is_raw || a->words_count != b->words_count) {
        return false;
    }
    for (size_t i = 0; i < a->words_count; i++) {
        if (!texts_equal(a->words[i], b->words[i])) {
            return false;
        }
    }
    return true;
}
