/* Goal: what the writer makes is valid JSON whatever the bytes, and stays inside its buffer.
 * Method: tables; every single byte; every buffer size. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"

static const struct {
    const char *in;
    size_t len;
    const char *out;
} texts[] = {
    {"", 0, "\"\""},
    {"plain", 5, "\"plain\""},
    {"a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\""},
    {"\n\r\t", 3, "\"\\n\\r\\t\""},
    {"\0", 1, "\"\\u0000\""},
    {"\x01\x1f\b\f", 4, "\"\\u0001\\u001f\\u0008\\u000c\""},
    {"\x7f", 1, "\"\x7f\""},
    {"gr\xc3\xbc\xc3\x9f", 6, "\"gr\xc3\xbc\xc3\x9f\""},
    {"\xf0\x9f\x98\x80", 4, "\"\xf0\x9f\x98\x80\""},
    {"\xff", 1, "\"\xef\xbf\xbd\""},
    {"\xc3", 1, "\"\xef\xbf\xbd\""},
    {"\xc3(", 2, "\"\xef\xbf\xbd(\""},
    {"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    {"<>&'", 4, "\"<>&'\""},
};

Test(json_writer, escapes_what_must_be_and_repairs_utf8)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct json_writer json;
        char data[64];

        json_writer_init(&json, data, sizeof data);
        json_writer_bytes(&json, bytes_of(texts[i].in, texts[i].len));
        cr_assert_str_eq(data, texts[i].out, "case %zu", i);
        cr_assert_eq(json.len, strlen(texts[i].out));
        cr_assert(!json.overflow);
    }
}

Test(json_writer, escapes_every_control_character)
{
    for (unsigned c = 0; c < 0x20; c++) {
        struct json_writer json;
        char data[16];
        uint8_t byte = (uint8_t)c;

        json_writer_init(&json, data, sizeof data);
        json_writer_bytes(&json, bytes_of(&byte, 1));
        cr_assert_eq(data[1], '\\', "%02x", c);
        for (size_t i = 0; i < json.len; i++) {
            cr_assert_geq((uint8_t)data[i], 0x20, "%02x", c);
        }
    }
}

static void write_sample(struct json_writer *json)
{
    json_writer_raw(json, "{\"n\":");
    json_writer_integer(json, INT64_MIN);
    json_writer_raw(json, ",\"b\":");
    json_writer_boolean(json, true);
    json_writer_raw(json, ",\"t\":");
    json_writer_text(json, "a\x01\xc3\xbc");
    json_writer_raw(json, "}");
}

static const char sample[] = "{\"n\":-9223372036854775808,\"b\":true,\"t\":\"a\\u0001\xc3\xbc\"}";

Test(json_writer, writes_numbers_and_booleans)
{
    struct json_writer json;
    char data[128];

    json_writer_init(&json, data, sizeof data);
    write_sample(&json);
    cr_assert_str_eq(data, sample);
    json_writer_init(&json, data, sizeof data);
    json_writer_integer(&json, INT64_MAX);
    json_writer_boolean(&json, false);
    json_writer_integer(&json, 0);
    cr_assert_str_eq(data, "9223372036854775807false0");
}

Test(json_writer, remembers_that_something_did_not_fit_and_stays_terminated)
{
    for (size_t size = 1; size <= sizeof sample; size++) {
        struct json_writer json;
        char *data = malloc(size);

        json_writer_init(&json, data, size);
        write_sample(&json);
        cr_assert_eq(json.overflow, size < sizeof sample, "%zu bytes", size);
        cr_assert_lt(json.len, size);
        cr_assert_eq(strlen(data), json.len);
        cr_assert_eq(strncmp(data, sample, json.len), 0, "what is there is a prefix");
        free(data);
    }
}

Test(json_writer, writes_nothing_after_an_overflow)
{
    struct json_writer json;
    char data[4];

    json_writer_init(&json, data, sizeof data);
    json_writer_raw(&json, "ab");
    json_writer_raw(&json, "cd");
    json_writer_raw(&json, "e");
    cr_assert_str_eq(data, "ab");
    cr_assert(json.overflow);
}

Test(json_writer, makes_json_safe_for_html_as_go_does)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {"{\"a\":\"<&>\"}", "{\"a\":\"\\u003c\\u0026\\u003e\"}"},
        {"\"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa\"", "\"\\u2028\\u2029\xe2\x80\xaa\""},
        {"\xe2\x80", "\xe2\x80"}, /* cut off */
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct json_writer json;
        char data[64];

        json_writer_init(&json, data, sizeof data);
        json_writer_html_safe(&json, bytes_of_text(cases[i].in));
        cr_assert_str_eq(data, cases[i].out, "case %zu", i);
        cr_assert(!json.overflow);
        json_writer_init(&json, data, strlen(cases[i].out) + (i == 0 ? 1 : 0));
        json_writer_html_safe(&json, bytes_of_text(cases[i].in));
        cr_assert_eq(json.overflow, i != 0);
    }
}
