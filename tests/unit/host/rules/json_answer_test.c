/* Goal: JSON of any length as Go writes it, and the errors of its reader. */
#include "host/rules/json_answer.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/bytes.h"

static void write_many(struct json_writer *json, const void *context)
{
    for (unsigned i = 0; i < 1000; i++) {
        json_writer_text(json, context);
    }
}

Test(json_answer, is_as_long_as_it_must_be_and_escaped_as_go_does)
{
    char *many = json_answer_make(write_many, "<&>");
    char *text = json_answer_of_text("a\"<");
    char *error = json_answer_of_pair("error", "q\"uo");

    cr_assert_eq(strlen(many), 1000 * strlen("\"\\u003c\\u0026\\u003e\""));
    cr_assert_str_eq(text, "\"a\\\"\\u003c\"");
    cr_assert_str_eq(error, "{\"error\":\"q\\\"uo\"}");
    json_answer_free(many);
    json_answer_free(text);
    json_answer_free(error);
    json_answer_free(NULL);
}

Test(json_answer, takes_texts_and_says_what_is_none)
{
    char error[JSON_ANSWER_ERROR_SIZE], *text = NULL;

    cr_assert(
        json_answer_take_text(json_reader_value(bytes_of_text("\"a\"")), "Rule.id", &text, error));
    cr_assert_str_eq(text, "a");
    cr_assert(
        json_answer_take_text(json_reader_value(bytes_of_text("null")), "Rule.id", &text, error));
    cr_assert_str_eq(text, "a");
    cr_assert_not(
        json_answer_take_text(json_reader_value(bytes_of_text("true")), "Rule.id", &text, error));
    cr_assert_str_eq(error,
                     "json: cannot unmarshal bool into Go struct field Rule.id of type string");
    cr_assert_not(
        json_answer_check_struct(json_reader_value(bytes_of_text("1")), "rwc.Rule", error));
    cr_assert_str_eq(error, "json: cannot unmarshal number into Go value of type rwc.Rule");
    json_answer_free(text);
}
