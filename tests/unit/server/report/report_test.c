/* Goal: reports name every connection of every worker in the two shapes that clients know, byte for
 * byte, and reach who asked for them: one request, or the topic "stats".
 * Method: workers without threads, turned by the test; connections that are only filled in, with
 * times that are known; the answer is read from the queue of who asked. */
#include "server/report/report.h"

#include <jansson.h>

#include "tests/unit/server/conn/conn_fixture.h"

static const char self_status[] =
    "{\"can_read\":true,\"can_write\":true,\"connected_at\":\"2023-11-14T22:13:20Z\","
    "\"expires_at\":\"1970-01-01T00:00:00Z\",\"remote_addr\":\"internal\","
    "\"scopes\":[\"read\",\"stats\",\"write\"],\"topic\":\"stats\",\"user_agent\":\"crossbar\"}";
static const char self_topic[] =
    "{\"canRead\":true,\"canWrite\":true,\"connected\":\"2023-11-14T22:13:20Z\","
    "\"expiresAt\":\"1970-01-01T00:00:00Z\",\"remoteAddr\":\"internal\","
    "\"scopes\":[\"read\",\"stats\",\"write\"],"
    "\"stats\":{\"tx\":{\"last\":\"Never\",\"size\":0,\"fps\":0},"
    "\"rx\":{\"last\":\"Never\",\"size\":0,\"fps\":0}},"
    "\"topic\":\"stats\",\"userAgent\":\"crossbar\"}";

TestSuite(report, .fini = close_scene);

/* The body of the answer; its head must say how long it is. */
static const char *answer_of(struct conn *asker)
{
    char length[48];

    drain(&asker->subscriber.queue, &scene.workers[0]);
    char *body = strstr(scene.read, "\r\n\r\n");

    cr_assert_not_null(body, "no answer: %s", scene.read);
    body += 4;
    snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
    cr_assert_eq(strncmp(scene.read, "HTTP/1.1 200 OK\r\n", 17), 0, "%s", scene.read);
    cr_assert_not_null(strstr(scene.read, length), "%s", scene.read);
    cr_assert_eq(asker->phase, PHASE_CLOSING);
    cr_assert_eq(scene.tables[0].deferred, 0);
    return body;
}

static const char *ask_status(void)
{
    cr_assert(report_for_request(&scene.askers[0], http_answer_deferred));
    settle();
    return answer_of(&scene.askers[0]);
}

static void expect_elements(const char *body, const char *elements, const char *self,
                            const char *end)
{
    char expected[8192];

    snprintf(expected, sizeof expected, "[%s%s]%s", elements, self, end);
    cr_assert_str_eq(body, expected);
}

Test(report, of_an_idle_relay_shows_the_relay_itself)
{
    open_scene(1);
    expect_elements(ask_status(), "", self_status, "\n");
}

Test(report, for_status_leaves_out_what_is_false_or_empty)
{
    open_scene(1);
    struct conn *writer = add_websocket(0, 0, "a/b");

    add_websocket(1, 0, "t0");
    phase_websocket_of(writer)->can_read = false;
    phase_websocket_of(writer)->can_write = true;
    phase_websocket_of(writer)->user_agent[0] = '\0';
    phase_websocket_of(writer)->reported_address[0] = '\0';
    writer->transport = &transport_user;
    snprintf(phase_websocket_of(writer)->scopes_json,
             sizeof phase_websocket_of(writer)->scopes_json, "[]");
    expect_elements(ask_status(),
                    "{\"can_write\":true,\"connected_at\":\"2023-11-14T22:13:25Z\","
                    "\"expires_at\":\"2023-11-14T22:14:25Z\",\"scopes\":[],\"tls\":\"user\","
                    "\"topic\":\"a/b\"},"
                    "{\"can_read\":true,\"connected_at\":\"2023-11-14T22:13:25Z\","
                    "\"expires_at\":\"2023-11-14T22:14:25Z\",\"remote_addr\":\"203.0.113.7\","
                    "\"scopes\":[\"read\"],\"topic\":\"t0\",\"user_agent\":\"ua/1\"},",
                    self_status, "\n");
}

Test(report, puts_the_parts_of_all_workers_together)
{
    open_scene(WORKERS);
    add_websocket(0, 1, "t1");
    add_websocket(1, 0, "t0");
    const char *body = ask_status();

    cr_assert_not_null(strstr(body, "\"topic\":\"t0\""), "%s", body);
    cr_assert_not_null(strstr(body, "\"topic\":\"t1\""), "%s", body);
    cr_assert_not_null(strstr(body, "\"topic\":\"stats\""), "%s", body);
}

Test(report, leaves_out_connections_that_are_no_websockets)
{
    open_scene(1);
    add_websocket(0, 0, "t0");
    topic_unref(phase_websocket_of(&scene.conns[0][0])->topic);
    scene.conns[0][0].phase = PHASE_CLOSING;
    expect_elements(ask_status(), "", self_status, "\n");
}

Test(report, writes_hostile_text_as_json)
{
    open_scene(1);
    struct phase_websocket *ws = phase_websocket_of(add_websocket(0, 0, "t\"\\\n"));

    snprintf(ws->user_agent, sizeof ws->user_agent, "%s", "</script>\x01\xff\"},{\"");
    snprintf(ws->reported_address, sizeof ws->reported_address, "%s", "\"]\xc3");
    const char *body = ask_status();

    cr_assert_not_null(strstr(body, "\"topic\":\"t\\\"\\\\\\n\""), "%s", body);
    cr_assert_not_null(strstr(body, "\"user_agent\":\"</script>\\u0001\xef\xbf\xbd\\\"},{\\\"\""),
                       "%s", body);
    cr_assert_not_null(strstr(body, "\"remote_addr\":\"\\\"]\xef\xbf\xbd\""), "%s", body);
}

Test(report, answers_nobody_when_the_asker_is_gone)
{
    open_scene(WORKERS);
    cr_assert(report_for_request(&scene.askers[0], http_answer_deferred));
    scene.askers[0].serial++; /* the place in the table has another tenant */
    settle();
    cr_assert(send_queue_empty(&scene.askers[0].subscriber.queue));
    cr_assert_eq(scene.askers[0].phase, PHASE_HTTP);
    cr_assert_eq(scene.tables[0].deferred, 0);
}

/* How often the text stands in what the first asker was sent. */
static unsigned count_in(const char *body, const char *text)
{
    unsigned count = 0;

    for (; (body = strstr(body, text)) != NULL; body++) {
        count++;
    }
    return count;
}

static void fill(unsigned worker_index, const char *topic)
{
    for (unsigned i = 0; i < CONNS; i++) {
        add_websocket(i, worker_index, topic);
    }
}

static void leave(struct conn *conn)
{
    topic_unref(phase_websocket_of(conn)->topic);
    conn->phase = PHASE_FREE;
}

Test(report, is_written_in_pieces_so_that_no_turn_is_long)
{
    open_scene(WORKERS);
    fill(0, "t0");
    fill(1, "t1");
    cr_assert(report_for_request(&scene.askers[0], http_answer_deferred));
    for (unsigned i = 0; i < CONNS / REPORT_SLOTS_PER_TURN + 1; i++) {
        cr_assert_not_null(scene.tables[0].reports[REPORT_STATUS].current);
        turn(&scene.workers[0]);
        turn(&scene.workers[1]);
    }
    settle();
    const char *body = answer_of(&scene.askers[0]);

    cr_assert_eq(count_in(body, "\"topic\":\"t0\""), CONNS);
    cr_assert_eq(count_in(body, "\"topic\":\"t1\""), CONNS);
}

Test(report, names_once_who_stays_while_others_come_and_go)
{
    open_scene(1);
    fill(0, "stays");
    cr_assert(report_for_request(&scene.askers[0], http_answer_deferred));
    leave(&scene.conns[0][0]); /* written already */
    leave(&scene.conns[0][CONNS - 1]);
    add_websocket(0, 0, "new");
    turn(&scene.workers[0]);
    leave(&scene.conns[0][CONNS - 2]);
    add_websocket(CONNS - 2, 0, "new");
    settle();
    const char *body = answer_of(&scene.askers[0]);

    cr_assert_eq(count_in(body, "\"topic\":\"stays\""), CONNS - 2);
    cr_assert_eq(count_in(body, "\"topic\":\"new\""), 1);
}

Test(report, is_made_once_for_all_who_ask_meanwhile_and_shows_them_what_was_there)
{
    open_scene(WORKERS);
    cr_assert(report_for_request(&scene.askers[0], http_answer_deferred));
    const struct report *first = scene.tables[0].reports[REPORT_STATUS].current;

    turn(&scene.workers[0]);
    turn(&scene.workers[1]); /* its part is written */
    add_websocket(0, 1, "late");
    uint64_t letters = scene.workers[0].counters.letters_sent;

    for (unsigned i = 1; i <= 10; i++) {
        cr_assert(report_for_request(&scene.askers[i], http_answer_deferred));
    }
    cr_assert_eq(scene.workers[0].counters.letters_sent, letters, "no other is begun");
    cr_assert_eq(scene.tables[0].reports[REPORT_STATUS].current, first);
    settle();
    cr_assert_eq(scene.workers[0].counters.letters_sent, letters + 1, "one for all of them");
    cr_assert_null(strstr(answer_of(&scene.askers[0]), "late"));
    for (unsigned i = 1; i <= 10; i++) {
        cr_assert_not_null(strstr(answer_of(&scene.askers[i]), "late"));
    }
    cr_assert_eq(scene.workers[0].requests.blocks_used, 0);
}

Test(report, is_refused_when_too_many_wait_for_one)
{
    open_scene(WORKERS);
    for (unsigned i = 0; i < REPORT_ASKS_MAX + 3; i++) {
        cr_assert(report_for_request(&scene.askers[i], http_answer_deferred));
    }
    cr_assert_eq(scene.workers[0].counters.reports_refused, 2);
    cr_assert_eq(scene.workers[0].alarms.limits[ALARM_REPORTS].lines, 1);
    settle();
    for (unsigned i = 0; i < REPORT_ASKS_MAX + 3; i++) {
        drain(&scene.askers[i].subscriber.queue, &scene.workers[0]);
        cr_assert_eq(
            strncmp(scene.read, i <= REPORT_ASKS_MAX ? "HTTP/1.1 200 " : "HTTP/1.1 503 ", 13), 0,
            "%u: %s", i, scene.read);
    }
    cr_assert_not_null(strstr(scene.read, "\r\n\r\n{\"code\":\"503\",\"message\":\"too many"));
    cr_assert(report_for_request(&scene.askers[ASKERS - 1], http_answer_deferred));
    settle();
    answer_of(&scene.askers[ASKERS - 1]);
}

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
    report_on_command(&scene.workers[worker_index], bytes_of_text(text));
    settle();
}

/* Elements of the largest kind, more than a report may have. */
static unsigned fill_beyond_a_report(void)
{
    struct conn_table *table = &scene.tables[0];
    unsigned count = REPORT_BYTES_MAX / 1500;

    table->conns = calloc(count, sizeof(struct conn));
    cr_assert_not_null(table->conns);
    table->conns_made = count;
    for (unsigned i = 0; i < count; i++) {
        struct conn *conn = &table->conns[i];
        struct phase_websocket *ws = phase_websocket_of(conn);

        *conn = (struct conn){.phase = PHASE_WEBSOCKET,
                              .transport = &transport_plain,
                              .worker = &scene.workers[0],
                              .table = table};
        ws->topic = scene.shared.stats_topic;
        memset(ws->user_agent, 1, sizeof ws->user_agent - 1);
        memset(ws->reported_address, 1, sizeof ws->reported_address - 1);
        snprintf(ws->scopes_json, sizeof ws->scopes_json, "[\"%0*d\"]", 150, 7);
        snprintf(ws->user_agent + sizeof ws->user_agent - 8, 8, "%07u", i);
    }
    return count;
}

Test(report, beyond_the_bound_has_whole_elements_on_the_topic_and_is_refused_for_status)
{
    json_error_t error;

    open_scene(1);
    unsigned count = fill_beyond_a_report();

    listen_to_stats();
    command(0, "{\"cmd\":\"update\"}");
    cr_assert_eq(scene.listener.queue.count, 1);
    const struct message *message =
        scene.listener.queue.entries[scene.listener.queue.head]->message;
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
    cr_assert(report_for_request(&scene.askers[0], http_answer_deferred));
    settle();
    drain(&scene.askers[0].subscriber.queue, &scene.workers[0]);
    cr_assert_eq(strncmp(scene.read, "HTTP/1.1 503 ", 13), 0, "%s", scene.read);
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

Test(report, on_the_topic_has_all_keys_and_statistics)
{
    open_scene(1);
    struct conn *conn = add_websocket(0, 0, "t0");
    struct phase_websocket *ws = phase_websocket_of(conn);

    ws->messages_received = 25;
    ws->bytes_received = 25000;
    ws->first_received_ms = NOW_MS - 2200;
    ws->last_received_ms = NOW_MS - 1200;
    conn->messages_sent = 1;
    conn->subscriber.queue.payload_sent = 77;
    conn->first_sent_ms = conn->last_sent_ms = NOW_MS;
    conn->transport = &transport_kernel;
    listen_to_stats();
    command(0, "{\"cmd\":\"update\"}");
    expect_elements(published(),
                    "{\"canRead\":true,\"canWrite\":false,\"connected\":\"2023-11-14T22:13:25Z\","
                    "\"expiresAt\":\"2023-11-14T22:14:25Z\",\"remoteAddr\":\"203.0.113.7\","
                    "\"scopes\":[\"read\"],"
                    "\"stats\":{\"tx\":{\"last\":\"1.2s\",\"size\":1000,\"fps\":24.000},"
                    "\"rx\":{\"last\":\"0s\",\"size\":77,\"fps\":0.000}},"
                    "\"topic\":\"t0\",\"userAgent\":\"ua/1\",\"tls\":\"kernel\"},",
                    self_topic, "");
    stop_listening();
}

Test(report, tells_durations_as_go_does)
{
    static const struct {
        uint64_t ago_ms;
        const char *text;
    } cases[] = {
        {0, "0s"},           {1, "1ms"},          {999, "999ms"},           {1000, "1s"},
        {1050, "1.05s"},     {59999, "59.999s"},  {60000, "1m0s"},          {61500, "1m1.5s"},
        {3599000, "59m59s"}, {3600000, "1h0m0s"}, {90061001, "25h1m1.001s"}};

    open_scene(1);
    struct phase_websocket *ws = phase_websocket_of(add_websocket(0, 0, "t0"));

    listen_to_stats();
    ws->messages_received = 1;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char expected[64];

        ws->first_received_ms = ws->last_received_ms = NOW_MS - cases[i].ago_ms;
        scene.tables[0].report_last_ms = 0;
        command(0, "{\"cmd\":\"update\"}");
        snprintf(expected, sizeof expected, "\"tx\":{\"last\":\"%s\",", cases[i].text);
        cr_assert_not_null(strstr(published(), expected), "%s in %s", expected, scene.read);
    }
    stop_listening();
}

Test(report, comes_at_most_once_a_second_when_asked)
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

Test(report, is_asked_for_by_one_command_only)
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

Test(report, is_not_made_when_nobody_listens)
{
    open_scene(1);
    command(0, "{\"cmd\":\"update\"}");
    cr_assert_eq(scene.workers[0].blocks.blocks_used, 0);
    cr_assert_eq(scene.tables[0].report_last_ms, (uint64_t)NOW_MS);
}

Test(report, comes_periodically_until_it_is_stopped)
{
    open_scene(1);
    listen_to_stats();
    report_start(&scene.tables[0]);
    for (unsigned i = 0; i < 3; i++) {
        scene.workers[0].now_ms += 4900;
        timer_wheel_advance(&scene.workers[0].timers, scene.workers[0].now_ms);
        cr_assert_str_eq(published(), "");
        scene.workers[0].now_ms += 200;
        timer_wheel_advance(&scene.workers[0].timers, scene.workers[0].now_ms);
        cr_assert_str_neq(published(), "");
    }
    report_stop(&scene.tables[0]);
    scene.workers[0].now_ms += 20000;
    timer_wheel_advance(&scene.workers[0].timers, scene.workers[0].now_ms);
    cr_assert_str_eq(published(), "");
    stop_listening();
}
