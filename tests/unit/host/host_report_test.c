/* Goal: the report is JSON with all parts, and no secret in it. */
#include "host/host_report.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/host/control/stage.h"
#include "tests/unit/host/hearer.h"

Test(host_report, names_feeds_and_destinations_without_secrets)
{
    struct local_client_list clients;
    struct http_server server = {.publishers_count = 3};
    char error[JSON_ANSWER_ERROR_SIZE], syntax[JSON_READER_ERROR_SIZE];
    struct hearer hearer;
    struct stage stage;

    stage_setup(&stage);
    local_client_list_init(&clients, &stage.loop, &stage.streams.feeds, 0);
    cr_assert_eq(hearer_join(&hearer, &stage.streams.feeds, "video"), 0);
    json_answer_free(control_put_destination(
        &stage.control,
        bytes_of_text("{\"id\":\"0\",\"stream\":\"video\",\"token\":\"secret\","
                      "\"destination\":\"ws://127.0.0.1:9/session/x?code=secret\"}"),
        error));
    json_answer_free(control_put_destination(&stage.control, bytes_of_text("{}"), error));
    struct host_report_sources sources = {.feeds = &stage.streams.feeds,
                                          .destinations = &stage.destinations,
                                          .clients = &clients,
                                          .server = &server,
                                          .now_ms = 5000};
    char *report = host_report_make(&sources);

    cr_assert(json_reader_check(bytes_of_text(report), syntax), "%s", report);
    cr_assert_null(strstr(report, "secret"));
    cr_assert_not_null(strstr(report, "\"publishers\":3"));
    cr_assert_not_null(strstr(report, "\"uptime_s\":5"));
    cr_assert_not_null(strstr(report, "{\"name\":\"video\",\"members\":2,"));
    cr_assert_not_null(strstr(report, "\"relay\":\"127.0.0.1:9\",\"state\":\""));
    cr_assert_not_null(strstr(report, "\"relay\":\"\",\"state\":\"refused\"}"));
    cr_assert_not_null(strstr(report, "\"messages_unwatched\":0,\"messages_held\":0,"
                                      "\"round_trip_us\":0"),
                       "%s", report);
    cr_assert_null(strstr(report, "viewers"), "they are not known");
    json_answer_free(report);
    feed_leave(&hearer.member);
    stage_teardown(&stage);
}
