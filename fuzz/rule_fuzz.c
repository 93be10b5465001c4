/* Reaches rule_read, rule_write, stream_rule_read, stream_rule_write and device_rule_read. What is
 * written of an accepted rule is read as the same rule again. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "host/device/device_rule.h"
#include "host/rules/rule.h"
#include "host/rules/stream_rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_rule(struct json_writer *json, const void *context)
{
    rule_write(json, context, false);
}

static void write_stream(struct json_writer *json, const void *context)
{
    stream_rule_write(json, context);
}

static struct json_value parse(const char *text)
{
    char error[JSON_READER_ERROR_SIZE];

    CHECK(json_reader_check(bytes_of_text(text), error));
    return json_reader_value(bytes_of_text(text));
}

static void try_rule(struct json_value value)
{
    char error[JSON_ANSWER_ERROR_SIZE];
    struct rule rule, again;

    if (!rule_read(value, &rule, error)) {
        return;
    }
    char *text = json_answer_make(write_rule, &rule);

    CHECK(text != NULL && rule_read(parse(text), &again, error));
    /* One leading slash goes with each reading. */
    CHECK(rule.stream[0] == '/' || rule_equals(&rule, &again));
    json_answer_free(text);
    rule_release(&rule);
    rule_release(&again);
}

static void try_stream(struct json_value value)
{
    char error[JSON_ANSWER_ERROR_SIZE];
    struct stream_rule rule, again;

    if (!stream_rule_read(value, &rule, error)) {
        return;
    }
    char *text = json_answer_make(write_stream, &rule);

    CHECK(text != NULL && stream_rule_read(parse(text), &again, error));
    CHECK(rule.feeds_count == again.feeds_count && rule.has_feeds == again.has_feeds);
    json_answer_free(text);
    stream_rule_release(&rule);
    stream_rule_release(&again);
}

static void try_device(struct json_value value)
{
    char error[JSON_ANSWER_ERROR_SIZE];
    struct device_rule rule;

    if (device_rule_read(value, &rule, error)) {
        CHECK(device_rule_equals(&rule, &rule));
        CHECK(rule.stream[0] != '\0' && rule.words[rule.words_count] == NULL);
        device_rule_release(&rule);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[JSON_READER_ERROR_SIZE];

    if (size > 4096 || !json_reader_check(bytes_of(data, size), error)) {
        return 0;
    }
    try_rule(json_reader_value(bytes_of(data, size)));
    try_stream(json_reader_value(bytes_of(data, size)));
    try_device(json_reader_value(bytes_of(data, size)));
    return 0;
}
