/* Goal: rules of streams are read as Go reads them and written to the byte. */
#include "host/rules/stream_rule.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void expect(const char *text, const char *wanted)
{
    char error[JSON_ANSWER_ERROR_SIZE], written[512];
    struct stream_rule rule;
    struct json_writer json;

    cr_assert(stream_rule_read(json_reader_value(bytes_of_text(text)), &rule, error), "%s", text);
    json_writer_init(&json, written, sizeof written);
    stream_rule_write(&json, &rule);
    cr_assert_str_eq(written, wanted);
    stream_rule_release(&rule);
    stream_rule_release(&rule);
}

Test(stream_rule, is_written_as_it_was_understood)
{
    expect("{\"stream\":\"/stream/a\",\"feeds\":[\"/v\",\"v\",\"v\"]}",
           "{\"stream\":\"stream/a\",\"feeds\":[\"/v\",\"v\",\"v\"]}");
    expect("{\"stream\":\"a\"}", "{\"stream\":\"a\",\"feeds\":null}");
    expect("{\"FEEDS\":[],\"feeds\":[null]}", "{\"stream\":\"\",\"feeds\":[\"\"]}");
    expect("{\"feeds\":[\"a\"],\"feeds\":null}", "{\"stream\":\"\",\"feeds\":null}");
}

Test(stream_rule, refuses_wrong_types_and_too_many_feeds)
{
    char error[JSON_ANSWER_ERROR_SIZE], text[8 * STREAM_RULE_FEEDS_MAX] = "{\"feeds\":[\"a\"";
    struct stream_rule rule;

    cr_assert_not(
        stream_rule_read(json_reader_value(bytes_of_text("{\"feeds\":{}}")), &rule, error));
    cr_assert_str_eq(
        error, "json: cannot unmarshal object into Go struct field Rule.feeds of type []string");
    for (unsigned i = 0; i < STREAM_RULE_FEEDS_MAX; i++) {
        strncat(text, ",\"a\"", 5);
    }
    strncat(text, "]}", 3);
    cr_assert_not(stream_rule_read(json_reader_value(bytes_of_text(text)), &rule, error));
    cr_assert_str_eq(error, "more than 256 feeds");
}
