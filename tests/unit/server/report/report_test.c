/* Goal: reports name every connection of every worker once, and reach every request for one.
 * Method: workers without threads, turned by the test; connections that are only filled in, with
 * times that are known; the answer is read from the queue of who asked. */
#include "server/report/report.h"

#include "tests/unit/server/conn/conn_fixture.h"

static const char self_status[] =
    "{\"can_read\":true,\"can_write\":true,\"connected_at\":\"2023-11-14T22:13:20Z\","
    "\"expires_at\":\"1970-01-01T00:00:00Z\",\"remote_addr\":\"internal\","
    "\"scopes\":[\"read\",\"stats\",\"write\"],\"topic\":\"stats\",\"user_agent\":\"crossbar\"}";

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
    cr_assert(report_for_request(&scene.askers[0], phase_http_answer_deferred));
    settle();
    return answer_of(&scene.askers[0]);
}

static void expect_self_only(const char *body)
{
    char expected[1024];

    snprintf(expected, sizeof expected, "[%s]\n", self_status);
    cr_assert_str_eq(body, expected);
}

Test(report, of_an_idle_relay_shows_the_relay_itself)
{
    open_scene(1);
    expect_self_only(ask_status());
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
    expect_self_only(ask_status());
}

Test(report, answers_nobody_when_the_asker_is_gone)
{
    open_scene(WORKERS);
    cr_assert(report_for_request(&scene.askers[0], phase_http_answer_deferred));
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
    cr_assert(report_for_request(&scene.askers[0], phase_http_answer_deferred));
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
    cr_assert(report_for_request(&scene.askers[0], phase_http_answer_deferred));
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
    cr_assert(report_for_request(&scene.askers[0], phase_http_answer_deferred));
    const struct report *first = scene.tables[0].reports[REPORT_STATUS].current;

    turn(&scene.workers[0]);
    turn(&scene.workers[1]); /* its part is written */
    add_websocket(0, 1, "late");
    uint64_t letters = scene.workers[0].counters.letters_sent;

    for (unsigned i = 1; i <= 10; i++) {
        cr_assert(report_for_request(&scene.askers[i], phase_http_answer_deferred));
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
        cr_assert(report_for_request(&scene.askers[i], phase_http_answer_deferred));
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
    cr_assert(report_for_request(&scene.askers[ASKERS - 1], phase_http_answer_deferred));
    settle();
    answer_of(&scene.askers[ASKERS - 1]);
}
