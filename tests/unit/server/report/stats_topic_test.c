/* Goal: the topic "stats" carries a report of all connections periodically and when a viewer asks
 * for one, at most once a second, and none when no viewer is there. Method: workers without
 * threads, turned by the test, and a subscriber of the topic. */
#include "server/report/stats_topic.h"

#include <jansson.h>

#include "tests/unit/server/conn/conn_fixture.h"

TestSuite(stats_topic, .fini = close_scene);

static void listen_to_stats(void)
{
    topic_subscribe(scene.shared.stats_topic, &scene.workers[scene.group.workers_count - 1],
                    &scene.listener);
}

static void stop_listening(void)
{
    topic_unsubscribe(scene.shared.stats_topic, &scene.workers[scene.group.workers_count - 1],
                      &scene.listener);
}

static void command(unsigned worker_index, const char *text)
{
    stats_topic_on_command(&scene.workers[worker_index], bytes_of_text(text));
    settle();
}

/* Elements of the largest kind, more than a report may have. */
static unsigned fill_beyond_a_report(void)
{
    struct conn_table *table = &scene.tables[0];
    unsigned count = REPORT_BYTES_MAX / 1500;
    char user_agent[USER_AGENT_SIZE] = "", address[REPORTED_ADDRESS_SIZE] = "";
    char scopes[PERMISSION_SCOPES_SIZE];

    memset(user_agent, 1, sizeof user_agent - 1);
    memset(address, 1, sizeof address - 1);
    snprintf(scopes, sizeof scopes, "[\"%0*d\"]", 150, 7);

    table->conns = calloc(count, sizeof(struct conn));
    cr_assert_not_null(table->conns);
    table->places.made = count;
    for (unsigned i = 0; i < count; i++) {
        struct conn *conn = &table->conns[i];
        struct phase_websocket *ws = phase_websocket_of(conn);

        *conn = (struct conn){.phase = PHASE_WEBSOCKET,
                              .transport = &transport_plain,
                              .worker = &scene.workers[0],
                              .table = table};
        ws->topic = scene.shared.stats_topic;
        snprintf(user_agent + sizeof user_agent - 8, 8, "%07u", i);
        cr_assert(identity_init(&ws->identity, &(struct identity){.booking_id = "",
                                                                  .scopes_json = scopes,
                                                                  .user_agent = user_agent,
                                                                  .remote_address = "",
                                                                  .reported_address = address}));
    }
    return count;
}

Test(stats_topic, beyond_the_bound_has_whole_elements_on_the_topic_and_is_refused_for_status)
{
    json_error_t error;

    open_scene(1);
    unsigned count = fill_beyond_a_report();

    listen_to_stats();
    command(0, "{\"cmd\":\"update\"}");
    cr_assert_eq(scene.listener.queue.count, 1);
    const struct message *message = send_queue_at(&scene.listener.queue, 0);
    json_t *report = json_loadb((const char *)message->payload, message->payload_len, 0, &error);

    cr_assert_not_null(report, "%s", error.text);
    cr_assert_lt(json_array_size(report), count);
    cr_assert_gt(message->payload_len, REPORT_BYTES_MAX - 2000);
    json_t *self = json_array_get(report, json_array_size(report) - 1);

    cr_assert_str_eq(json_string_value(json_object_get(self, "userAgent")), "crossbar");
    json_decref(report);
    cr_assert_eq(scene.workers[0].counters.reports_cut, 1);
    cr_assert_eq(scene.workers[0].alarms.limits[ALARM_REPORT_CUT].lines, 1);
    send_queue_clear(&scene.listener.queue, &scene.workers[0]);
    stop_listening();
    cr_assert(report_for_request(&scene.askers[0], phase_http_answer_deferred));
    settle();
    drain(&scene.askers[0].subscriber.queue, &scene.workers[0]);
    cr_assert_eq(strncmp(scene.read, "HTTP/1.1 503 ", 13), 0, "%s", scene.read);
    for (unsigned i = 0; i < count; i++) {
        identity_deinit(&phase_websocket_of(&scene.tables[0].conns[i])->identity);
    }
    free(scene.tables[0].conns);
}

/* The payload of the one text frame that came, or "". */
static const char *published(void)
{
    drain(&scene.listener.queue, &scene.workers[scene.group.workers_count - 1]);
    if (scene.read[0] == '\0') {
        return "";
    }
    size_t short_len = (uint8_t)scene.read[1];
    size_t header = short_len < 126 ? 2 : 4;

    cr_assert_eq((uint8_t)scene.read[0], 0x81);
    return scene.read + header;
}

Test(stats_topic, comes_at_most_once_a_second_when_asked)
{
    open_scene(WORKERS);
    struct conn_table *first = &scene.tables[0];

    listen_to_stats();
    command(1, "{\"cmd\":\"update\"}");
    cr_assert_str_neq(published(), "");
    command(1, "{\"cmd\":\"update\"}");
    command(0, "{\"cmd\":\"update\"}");
    cr_assert_str_eq(published(), "");
    cr_assert(first->report_timer.armed);
    cr_assert_geq(first->report_timer.due_ms, NOW_MS + 1000u,
                  "the next one is only brought forward");
    cr_assert_leq(first->report_timer.due_ms, NOW_MS + 1200u);
    stop_listening();
}

Test(stats_topic, is_asked_for_by_one_command_only)
{
    static const char *const texts[] = {"",
                                        "update",
                                        "{}",
                                        "[]",
                                        "{\"cmd\":\"updates\"}",
                                        "{\"cmd\":1}",
                                        "{\"cmd\":null}",
                                        "{\"CMD\":\"update\"}",
                                        "{\"cmd\":\"update\"",
                                        "{\"cmd\":\"update\"} x",
                                        "{\"cmd\":\"x\",\"cmd\":\"update\"}",
                                        "[{\"cmd\":\"update\"}]",
                                        "{\"a\":{\"cmd\":\"update\"}}"};
    char large[2048];

    open_scene(1);
    listen_to_stats();
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        command(0, texts[i]);
        cr_assert_str_eq(published(), "", "%s", texts[i]);
    }
    snprintf(large, sizeof large, "{\"cmd\":\"update\"}%1500s", "");
    command(0, large);
    cr_assert_str_eq(published(), "", "too large for a command");
    command(0, " {\"x\":1, \"cmd\" : \"update\"}\n");
    cr_assert_str_neq(published(), "");
    stop_listening();
}

Test(stats_topic, is_not_made_when_nobody_listens)
{
    open_scene(1);
    command(0, "{\"cmd\":\"update\"}");
    cr_assert_eq(scene.workers[0].blocks.blocks_used, 0);
    cr_assert_eq(scene.tables[0].report_last_ms, (uint64_t)NOW_MS);
}

Test(stats_topic, comes_periodically_until_it_is_stopped)
{
    open_scene(1);
    listen_to_stats();
    stats_topic_start(&scene.tables[0]);
    for (unsigned i = 0; i < 3; i++) {
        scene.workers[0].now_ms += 4900;
        timer_wheel_advance(&scene.workers[0].timers, scene.workers[0].now_ms);
        cr_assert_str_eq(published(), "");
        scene.workers[0].now_ms += 200;
        timer_wheel_advance(&scene.workers[0].timers, scene.workers[0].now_ms);
        cr_assert_str_neq(published(), "");
    }
    stats_topic_stop(&scene.tables[0]);
    scene.workers[0].now_ms += 20000;
    timer_wheel_advance(&scene.workers[0].timers, scene.workers[0].now_ms);
    cr_assert_str_eq(published(), "");
    stop_listening();
}
