/* Goal: texts are taken and refused as Go's encoding/json does, with its words, and walking through
 * a checked text gives its values. Method: tables. */
#include "wire/json_reader.h"

#include <criterion/criterion.h>
#include <string.h>

static void expect_error(const char *text, const char *wanted)
{
    char error[JSON_READER_ERROR_SIZE] = "";
    bool is_good = json_reader_check(bytes_of_text(text), error);

    cr_assert_eq(is_good, wanted == NULL, "%s: %s", text, error);
    cr_assert_str_eq(error, wanted == NULL ? "" : wanted, "%s", text);
}

Test(json_reader, takes_whole_values)
{
    static const char *const texts[] = {
        "{}",          "[]",   " null ",  "true",
        "false",       "0",    "-1.5e+3", "\"\\u00e9\\n\"",
        "[1, [], {}]", "1E-2", "0.25",    "{\"a\" : {\"b\":[null,\"x\"]} , \"a\":1}\n",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        expect_error(texts[i], NULL);
    }
}

Test(json_reader, says_what_go_says)
{
    static const char *const cases[][2] = {
        {"", "unexpected end of JSON input"},
        {"{\"id\":\"1\"", "unexpected end of JSON input"},
        {"\"abc", "unexpected end of JSON input"},
        {"{} text", "invalid character 't' after top-level value"},
        {"hello", "invalid character 'h' looking for beginning of value"},
        {"{id:1}", "invalid character 'i' looking for beginning of object key string"},
        {"{\"a\":1,}", "invalid character '}' looking for beginning of object key string"},
        {"{\"a\" 1}", "invalid character '1' after object key"},
        {"{\"a\":1 \"b\"}", "invalid character '\"' after object key:value pair"},
        {"[1 2]", "invalid character '2' after array element"},
        {"[1,]", "invalid character ']' looking for beginning of value"},
        {"\"a\nb\"", "invalid character '\\n' in string literal"},
        {"\"\\x\"", "invalid character 'x' in string escape code"},
        {"\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape"},
        {"-x", "invalid character 'x' in numeric literal"},
        {"01", "invalid character '1' after top-level value"},
        {"1.", "unexpected end of JSON input"},
        {"1.a", "invalid character 'a' after decimal point in numeric literal"},
        {"1ex", "invalid character 'x' in exponent of numeric literal"},
        {"tru3", "invalid character '3' in literal true (expecting 'e')"},
        {"'a'", "invalid character '\\'' looking for beginning of value"},
        {"\\", "invalid character '\\\\' looking for beginning of value"},
        {"\x01", "invalid character '\\x01' looking for beginning of value"},
        {"\xc3\xa9", "invalid character 'Ã' looking for beginning of value"},
        {"\x80", "invalid character '\\u0080' looking for beginning of value"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_error(cases[i][0], cases[i][1]);
    }
}

Test(json_reader, bounds_the_depth)
{
    char text[2 * JSON_READER_DEPTH_MAX + 3];
    char error[JSON_READER_ERROR_SIZE];

    memset(text, '[', JSON_READER_DEPTH_MAX);
    memset(text + JSON_READER_DEPTH_MAX, ']', JSON_READER_DEPTH_MAX);
    cr_assert(json_reader_check(bytes_of(text, 2 * JSON_READER_DEPTH_MAX), error));
    memset(text, '[', JSON_READER_DEPTH_MAX + 1);
    cr_assert_not(json_reader_check(bytes_of(text, JSON_READER_DEPTH_MAX + 1), error));
    cr_assert_str_eq(error, "exceeded max depth");
}

Test(json_reader, walks_through_members_and_elements)
{
    struct bytes rest =
        bytes_of_text(" {\"ID\" : \"7\" , \"list\":[1,\"x\",[2],null], \"b\":true}");
    struct json_value value = json_reader_value(rest), name, element;
    static const enum json_kind kinds[] = {JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_NULL};
    size_t count = 0;

    cr_assert_eq(value.kind, JSON_OBJECT);
    rest = value.text;
    cr_assert(json_reader_next_member(&rest, &name, &value));
    cr_assert(json_reader_text_is(name, "id"));
    cr_assert_not(json_reader_text_is(name, "idx"));
    cr_assert(bytes_equal_text(value.text, "\"7\""));
    cr_assert(json_reader_next_member(&rest, &name, &value));
    for (struct bytes list = value.text; json_reader_next_element(&list, &element); count++) {
        cr_assert_eq(element.kind, kinds[count]);
    }
    cr_assert_eq(count, 4);
    cr_assert(json_reader_next_member(&rest, &name, &value));
    cr_assert_eq(value.kind, JSON_BOOL);
    cr_assert_str_eq(json_reader_kind_text(value.kind), "bool");
    cr_assert_not(json_reader_next_member(&rest, &name, &value));
}

Test(json_reader, decodes_texts)
{
    static const char *const cases[][2] = {
        {"\"plain\"", "plain"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u00e9\\u20ac\\ud83d\\ude00\"", "é€😀"},
        {"\"\\ud83d!\\ude00\\u0000\"", "\xef\xbf\xbd!\xef\xbf\xbd\xef\xbf\xbd"},
        {"\"a\xff\xc3\"", "a\xef\xbf\xbd\xef\xbf\xbd"},
    };
    char text[64];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json_value value = json_reader_value(bytes_of_text(cases[i][0]));

        cr_assert_eq(json_reader_text(value, text, sizeof text), strlen(cases[i][1]));
        cr_assert_str_eq(text, cases[i][1]);
    }
    cr_assert_eq(json_reader_text(json_reader_value(bytes_of_text("\"aéb\"")), text, 3), 1);
    cr_assert_str_eq(text, "a", "whole characters only");
}
