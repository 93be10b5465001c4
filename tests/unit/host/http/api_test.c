/* Goal: routes have their answers; the whole table is in tests/host/test_host_api.py. */
#include "host/http/api.h"

#include "tests/unit/host/control/stage.h"

static void expect(struct stage *stage, const char *method, const char *target, const char *body,
                   unsigned status, const char *text)
{
    struct route route;

    route_find(method, bytes_of_text(target), &route);
    struct api_answer answer = api_answer(&stage->control, &route, bytes_of_text(body));

    cr_assert_eq(answer.status, status, "%s", target);
    cr_assert_str_eq(answer.text, text);
    cr_assert_eq(answer.no_sniff, status >= 400 && text[0] != '\0');
    json_answer_free(answer.body);
}

Test(api, answers_each_route)
{
    struct stage stage;

    stage_setup(&stage);
    expect(&stage, "GET", "/healthcheck", "", 200, "\"ok\"\n");
    expect(&stage, "GET", "/api", "", 200, "");
    expect(&stage, "GET", "/x", "", 404, "404 page not found\n");
    expect(&stage, "GET", "//x", "", 301, "");
    expect(&stage, "PUT", "/healthcheck", "", 405, "");
    expect(&stage, "GET", "/%", "", 400, "400 Bad Request");
    expect(&stage, "POST", "/api/destinations", "[]", 500,
           "json: cannot unmarshal array into Go value of type rwc.Rule\n");
    expect(&stage, "GET", "/api/destinations/all", "", 200, "{}");
    expect(&stage, "DELETE", "/api/destinations/a%22", "", 200, "\"a\\\"\"");
    expect(&stage, "DELETE", "/api/destinations/all", "", 200, "\"all\"");
    expect(&stage, "POST", "/api/streams", "{\"stream\":\"a\"}", 200,
           "{\"stream\":\"a\",\"feeds\":null}");
    expect(&stage, "GET", "/api/streams/a", "", 200, "null");
    expect(&stage, "GET", "/api/streams/b", "", 404, "Stream not found\n");
    expect(&stage, "GET", "/api/streams/all", "", 200, "{\"a\":null}");
    expect(&stage, "DELETE", "/api/streams/a", "", 200, "\"a\"");
    expect(&stage, "DELETE", "/api/streams/deleteAll", "", 200, "\"deleteAll\"");
    stage_teardown(&stage);
}
