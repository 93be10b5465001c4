/* Goal: rules are read as Go reads them and written to the byte. Method: tables of JSON. */
#include "host/rules/rule.h"

#include <criterion/criterion.h>
#include <string.h>

static struct rule read_rule(const char *text)
{
    char error[JSON_ANSWER_ERROR_SIZE];
    struct rule rule;

    cr_assert(rule_read(json_reader_value(bytes_of_text(text)), &rule, error), "%s", text);
    return rule;
}

static void expect(const char *text, bool masks_token, const char *wanted)
{
    struct rule rule = read_rule(text);
    char written[512];
    struct json_writer json;

    json_writer_init(&json, written, sizeof written);
    rule_write(&json, &rule, masks_token);
    cr_assert_str_eq(written, wanted);
    rule_release(&rule);
}

Test(rule, is_written_with_its_five_members)
{
    expect("{}", false,
           "{\"id\":\"\",\"stream\":\"\",\"destination\":\"\",\"token\":\"\",\"file\":\"\"}");
    expect("null", false,
           "{\"id\":\"\",\"stream\":\"\",\"destination\":\"\",\"token\":\"\",\"file\":\"\"}");
    expect("{\"ID\":\"1\",\"id\":\"2\",\"Stream\":\"//v\",\"x\":[1],\"file\":null}", false,
           "{\"id\":\"2\",\"stream\":\"/v\",\"destination\":\"\",\"token\":\"\",\"file\":\"\"}");
    expect("{\"token_file\":\"/t\"}", true,
           "{\"id\":\"\",\"stream\":\"\",\"destination\":\"\",\"token\":\"\",\"file\":\"\","
           "\"token_file\":\"/t\"}");
}

Test(rule, shows_the_beginning_of_a_long_token_only)
{
    expect("{\"token\":\"123456789\"}", true,
           "{\"id\":\"\",\"stream\":\"\",\"destination\":\"\",\"token\":\"12345678…\","
           "\"file\":\"\"}");
    expect("{\"token\":\"12345678\"}", true,
           "{\"id\":\"\",\"stream\":\"\",\"destination\":\"\",\"token\":\"…\",\"file\":\"\"}");
    expect("{\"token\":\"12345678\"}", false,
           "{\"id\":\"\",\"stream\":\"\",\"destination\":\"\",\"token\":\"12345678\","
           "\"file\":\"\"}");
}

Test(rule, equals_in_all_members)
{
    struct rule a = read_rule("{\"id\":\"1\",\"token\":\"t\"}");
    struct rule same = read_rule("{\"token\":\"t\",\"id\":\"1\"}");
    struct rule other = read_rule("{\"id\":\"1\",\"token\":\"u\"}");

    cr_assert(rule_equals(&a, &same));
    cr_assert_not(rule_equals(&a, &other));
    rule_release(&a);
    rule_release(&same);
    rule_release(&other);
    rule_release(&other);
}

Test(rule, refuses_wrong_types)
{
    char error[JSON_ANSWER_ERROR_SIZE];
    struct rule rule;

    cr_assert_not(rule_read(json_reader_value(bytes_of_text("{\"stream\":[]}")), &rule, error));
    cr_assert_str_eq(
        error, "json: cannot unmarshal array into Go struct field Rule.stream of type string");
}
