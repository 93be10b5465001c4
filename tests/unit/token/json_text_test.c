/* Goal: a token's JSON is one object without surprises (RFC 8259), or refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/check.h"
#include "token/json_text.h"

static enum token_result parse(const char *text)
{
    json_t *object = NULL;
    enum token_result result = json_text_parse(bytes_of_text(text), &object);

    cr_expect_eq(object != NULL, result == TOKEN_OK, "%s", text);
    json_decref(object);
    return result;
}

Test(json_text, takes_one_object)
{
    static const char *const texts[] = {"{}", " {\"a\":1}\n", "{\"a\":\"\\u00e9\",\"b\":null}",
                                        "{\"a\":{\"x\":1},\"b\":{\"x\":2}}"};

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        cr_expect_eq(parse(texts[i]), TOKEN_OK, "%s", texts[i]);
    }
}

Test(json_text, refuses_all_else)
{
    static const char *const texts[] = {
        "",
        "x",
        "[]",
        "1",
        "\"a\"",
        "null",
        "{} {}",
        "{}x",
        "{",
        "{\"a\":1,}",
        "{\"a\":1,\"a\":1}",         /* duplicate */
        "{\"o\":{\"a\":1,\"a\":2}}", /* deeper */
        "{\"a\":1,\"\\u0061\":2}",   /* the same name, spelt otherwise */
        "{\"a\":\"\\u0000\"}",
        "{\"a\\u0000\":1}",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"\xc0\x80\"}",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        cr_expect_eq(parse(texts[i]), TOKEN_MALFORMED, "%s", texts[i]);
    }
}

Test(json_text, refuses_a_raw_nul_wherever_it_stands)
{
    static const char text[] = "{\"a\":12}";
    json_t *object = NULL;

    for (size_t i = 0; i < sizeof text; i++) {
        char bytes[sizeof text + 1];

        memcpy(bytes, text, i);
        bytes[i] = '\0';
        memcpy(bytes + i + 1, text + i, sizeof text - 1 - i);
        cr_expect_eq(json_text_parse(bytes_of(bytes, sizeof text), &object), TOKEN_MALFORMED,
                     "at %zu", i);
    }
    cr_expect_null(object);
}

/* An object of depth levels, the outermost counted; brackets in a text are none. */
static void nest(char *text, unsigned depth)
{
    char *end = stpcpy(text, "{\"a\":");

    memset(end, '[', depth - 1);
    end = stpcpy(end + depth - 1, "\"[[[{{{\\\"[[[\"");
    memset(end, ']', depth - 1);
    stpcpy(end + depth - 1, "}");
}

Test(json_text, nesting_is_bounded)
{
    char text[128];

    nest(text, JSON_TEXT_DEPTH_MAX);
    cr_expect_eq(parse(text), TOKEN_OK, "%s", text);
    nest(text, JSON_TEXT_DEPTH_MAX + 1);
    cr_expect_eq(parse(text), TOKEN_MALFORMED, "%s", text);
}

Test(json_text, side_by_side_is_not_nested)
{
    cr_expect_eq(parse("{\"a\":[],\"b\":[],\"c\":{},\"d\":[],\"e\":[],\"f\":[],\"g\":[],\"h\":[],"
                       "\"i\":[{},{}]}"),
                 TOKEN_OK);
}

Test(json_text, a_null_member_counts_as_absent)
{
    json_t *object;

    cr_assert_eq(json_text_parse(bytes_of_text("{\"a\":null,\"b\":0}"), &object), TOKEN_OK);
    cr_expect_null(json_text_member(object, "a"));
    cr_expect_not_null(json_text_member(object, "b"));
    cr_expect_null(json_text_member(object, "c"));
    json_decref(object);
}
