/* Goal: GET /config tells each option with its origin, and no secret. */
#include <jansson.h>

#include "tests/unit/server/admin/admin_fixture.h"

TestSuite(admin_config, .init = admin_open, .fini = admin_close);

static void expect_option(const json_t *answer, const char *name, const char *value,
                          const char *origin)
{
    const json_t *option = json_object_get(answer, name);

    cr_assert_str_eq(json_string_value(json_object_get(option, "value")), value);
    cr_assert_str_eq(json_string_value(json_object_get(option, "origin")), origin);
}

Test(admin_config, has_every_option_and_no_secret)
{
    stage.config.secret = (char[]){"Sesame"};
    stage.config.audience = (char[]){"https://a \"b\""};
    stage.config.origins[0] = OPTION_ORIGIN_ENVIRONMENT;
    stage.config.origins[1] = OPTION_ORIGIN_FLAG;
    stage.config.origins[2] = OPTION_ORIGIN_FILE;
    const char *body = admin_body(admin_get("/config"));
    json_t *answer = json_loads(body, JSON_REJECT_DUPLICATES, NULL);

    cr_assert_not_null(answer);
    cr_assert_eq(json_object_size(answer), serve_option_table.specs_count);
    expect_option(answer, "RELAY_AUDIENCE", "https://a \"b\"", "environment");
    expect_option(answer, "RELAY_URL", "", "flag");
    expect_option(answer, "RELAY_SECRET", "(secret)", "file");
    expect_option(answer, "RELAY_WRITE_TIMEOUT", "10000ms", "default");
    cr_assert_null(strstr(body, "Sesame"));
    json_decref(answer);
}
