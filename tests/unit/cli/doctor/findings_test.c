/* Goal: findings are lines for people or JSON for programs, and the exit status says whether there
 * is a fault. */
#include "cli/doctor/findings.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static int write_all(bool is_json, enum finding_state worst, char **ret_text)
{
    struct findings findings;
    size_t len;
    FILE *out = open_memstream(ret_text, &len);

    findings_begin(&findings, out, is_json);
    findings_add(&findings, "kernel", FINDING_OK, NULL, "Linux %d", 7);
    findings_add(&findings, "dns", worst, "a \"cure\"", "broken");
    int status = findings_end(&findings);

    fclose(out);
    return status;
}

Test(findings, text)
{
    char *text;

    cr_assert_eq(write_all(false, FINDING_FAULT, &text), 1);
    cr_assert_str_eq(text, "ok       kernel       Linux 7\n"
                           "fault    dns          broken\n"
                           "                      cure: a \"cure\"\n"
                           "2 checks, 0 warnings, 1 faults\n");
    free(text);
}

Test(findings, json)
{
    char *text;

    cr_assert_eq(write_all(true, FINDING_WARNING, &text), 0);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const json_t *second = json_array_get(json_object_get(json, "findings"), 1);

    cr_assert_not_null(json, "%s", text);
    cr_assert_eq(json_integer_value(json_object_get(json, "warnings")), 1);
    cr_assert_str_eq(json_string_value(json_object_get(second, "cure")), "a \"cure\"");
    cr_assert_str_eq(json_string_value(json_object_get(second, "state")), "warning");
    json_decref(json);
    free(text);
}
