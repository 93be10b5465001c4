/* Goal: rules are put, listed and deleted, and each change is told. */
#include "host/control/control.h"

#include "tests/unit/host/control/stage.h"

static char *put(struct stage *stage, const char *text)
{
    char error[JSON_ANSWER_ERROR_SIZE];

    return control_put_destination(&stage->control, bytes_of_text(text), error);
}

Test(control, keeps_rules_and_tells_of_changes)
{
    struct stage stage;
    char error[JSON_ANSWER_ERROR_SIZE];

    stage_setup(&stage);
    json_answer_free(put(&stage, "{\"id\":\"b\",\"token\":\"secret-token\"}"));
    json_answer_free(put(&stage, "{\"id\":\"a\"}"));
    cr_assert_eq(stage.changes, 2);
    json_answer_free(put(&stage, "{\"id\":\"deleteAll\"}"));
    cr_assert_eq(stage.changes, 2, "answered, but not recorded");
    stage_expect(
        control_list_destinations(&stage.control),
        "{\"a\":{\"id\":\"a\",\"stream\":\"\",\"destination\":\"\",\"token\":\"\",\"file\":\"\"},"
        "\"b\":{\"id\":\"b\",\"stream\":\"\",\"destination\":\"\",\"token\":\"secret-t…\","
        "\"file\":\"\"}}");
    stage_expect(control_destination(&stage.control, "x"),
                 "{\"id\":\"\",\"stream\":\"\",\"destination\":\"\",\"token\":\"\",\"file\":\"\"}");
    control_delete_destination(&stage.control, "a");
    cr_assert_null(destinations_find(&stage.destinations, "a"));
    json_answer_free(put(&stage, "{\"id\":\"apiRule\"}"));
    control_delete_all_destinations(&stage.control, true);
    cr_assert_eq(stage.destinations.count, 1);
    control_delete_all_destinations(&stage.control, false);
    stage_expect(control_list_destinations(&stage.control), "{}");
    cr_assert_null(put(&stage, "{\"id\":1}"));
    cr_assert_null(control_put_stream(&stage.control, bytes_of_text(""), error));
    cr_assert_str_eq(error, "unexpected end of JSON input");
    stage_teardown(&stage);
}

Test(control, keeps_streams)
{
    struct stage stage;
    char error[JSON_ANSWER_ERROR_SIZE];

    stage_setup(&stage);
    stage_expect(control_put_stream(&stage.control, bytes_of_text("{\"stream\":\"/a\"}"), error),
                 "{\"stream\":\"a\",\"feeds\":null}");
    stage_expect(control_list_streams(&stage.control), "{\"a\":null}");
    control_delete_stream(&stage.control, "a");
    control_delete_all_streams(&stage.control);
    stage_expect(control_list_streams(&stage.control), "{}");
    cr_assert_eq(stage.changes, 3);
    stage_teardown(&stage);
}
