/* Goal: requests are answered one after another in their order, however their bytes come; each way
 * out of the phase leaves nothing behind; and no secret stays in a buffer.
 * Method: bytes of a peer through a fake kernel (service.h). */
#include "server/http/phase_http.h"

#include "server/conn/deferred.h"
#include "tests/unit/server/http/service.h"

#define HOST     "Host: x\r\n"
#define NOT_HERE "GET /nothing HTTP/1.1\r\n" HOST "\r\n"
#define DOCS     "HEAD /docs HTTP/1.1\r\n" HOST "\r\n"
#define NO_TOKEN "GET /bids/deny HTTP/1.1\r\n" HOST "\r\n"

static struct conn *conn;

static void open_connection(void)
{
    service_open();
    conn = stage_connect(LISTENER_ACCESS);
}

TestSuite(phase_http, .init = open_connection, .fini = service_close);

/* "404 200": of all answers until nothing more is sent. */
static const char *statuses(void)
{
    static char text[4096];
    const char *place = (const char *)sent_by(conn).data;
    size_t used = 0;

    text[0] = '\0';
    while ((place = strstr(place, "HTTP/1.1 ")) != NULL) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.3s", used > 0 ? " " : "",
                                 place + 9);
        cr_assert_lt(used, sizeof text);
        place += 9;
    }
    return text;
}

static const char *answers(void)
{
    return (const char *)sent_by(conn).data;
}

Test(phase_http, requests_of_one_receive_are_answered_in_their_order)
{
    say_text(conn, NOT_HERE DOCS NO_TOKEN);
    cr_assert_str_eq(statuses(), "404 200 401");
    cr_assert_eq(stage_counted(http_requests), 3);
    cr_assert_eq(conn->phase, PHASE_HTTP);
}

Test(phase_http, requests_in_single_bytes_are_answered_alike)
{
    say_in_pieces(conn, bytes_of_text(NOT_HERE), 1);
    cr_assert_str_eq(statuses(), "404");
    say_in_pieces(conn, bytes_of_text(DOCS), 1);
    cr_assert_str_eq(statuses(), "200");
    say_in_pieces(conn, bytes_of_text(NO_TOKEN), 1);
    cr_assert_str_eq(statuses(), "401");
    cr_assert_eq(stage.worker.requests.blocks_used, 0);
}

Test(phase_http, request_that_ends_in_the_next_receive_waits_for_it)
{
    say_text(conn, NOT_HERE "HEAD /docs HTTP/1.1\r\nHo");
    cr_assert_str_eq(statuses(), "404");
    cr_assert_eq(stage.worker.requests.blocks_used, 1);
    say_text(conn, "st: x\r\n\r\n");
    cr_assert_str_eq(statuses(), "200");
    cr_assert_eq(stage.worker.requests.blocks_used, 0);
}

Test(phase_http, silent_connection_costs_nothing)
{
    cr_assert_eq(stage.worker.requests.blocks_used, 0);
    cr_assert_eq(stage.worker.blocks.blocks_used, 0);
}

Test(phase_http, connection_stays_or_ends_as_the_request_says)
{
    static const struct {
        const char *request;
        bool stays;
    } cases[] = {
        {NOT_HERE, true},
        {"GET /nothing HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", false},
        {"GET /nothing HTTP/1.0\r\n\r\n", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        say_text(conn, cases[i].request);
        cr_assert_eq(conn->phase == PHASE_HTTP, cases[i].stays, "%zu", i);
        cr_assert_eq(strstr(answers(), "Connection: close") == NULL, cases[i].stays, "%zu", i);
        cr_assert(cases[i].stays || conn->close_reason == CLOSE_HTTP_DONE);
        stage_close_connections();
        conn = stage_connect(LISTENER_ACCESS);
    }
}

Test(phase_http, nothing_behind_the_last_request_is_answered)
{
    say_text(conn, "GET /nothing HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" DOCS);
    cr_assert_str_eq(statuses(), "404");
}

static const char *long_request(const char *before, size_t filling, const char *after)
{
    static char text[65536];
    size_t used = (size_t)snprintf(text, sizeof text, "%s", before);

    memset(text + used, 'x', filling);
    snprintf(text + used + filling, sizeof text - used - filling, "%s", after);
    return text;
}

Test(phase_http, malformed_request_is_answered_by_its_status_and_is_the_last)
{
    const struct {
        const char *status, *before;
        size_t filling;
        const char *after;
    } cases[] = {
        {"400", "GET\r\n\r\n", 0, ""},
        {"414", "GET /", 9000, " HTTP/1.1\r\n\r\n"},
        {"431", "GET / HTTP/1.1\r\nX: ", 17000, "\r\n\r\n"},
        {"413", "POST / HTTP/1.1\r\n" HOST "Content-Length: 70000\r\n\r\n", 0, ""},
        {"505", "GET / HTTP/2.0\r\n" HOST "\r\n", 0, ""},
        {"501", "BREW / HTTP/1.1\r\n" HOST "\r\n", 0, ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        say_text(conn, long_request(cases[i].before, cases[i].filling, cases[i].after));
        cr_assert_str_eq(statuses(), cases[i].status);
        cr_assert_eq(conn->close_reason, CLOSE_HTTP_REFUSED);
        cr_assert_eq(stage_counted(http_refused), i + 1);
        stage_close_connections();
        cr_assert_eq(stage.worker.requests.blocks_used, 0);
        conn = stage_connect(LISTENER_ACCESS);
    }
}

Test(phase_http, body_that_waits_for_it_is_asked_for_once)
{
    say_text(conn, "POST /session/t0 HTTP/1.1\r\n" HOST
                   "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    cr_assert_str_eq(answers(), "HTTP/1.1 100 Continue\r\n\r\n");
    say_text(conn, "{");
    cr_assert_str_eq(answers(), "");
    say_text(conn, " }");
    cr_assert_str_eq(statuses(), "401");
}

Test(phase_http, client_that_pipelines_without_reading_has_one_answer_at_a_time)
{
    char requests[40 * sizeof DOCS];

    for (unsigned i = 0; i < 40; i++) {
        memcpy(requests + i * (sizeof DOCS - 1), DOCS, sizeof DOCS);
    }
    say_text(conn, requests);
    for (unsigned i = 0; i < 100; i++) {
        stage_turn();
    }
    cr_assert_eq(stage_counted(http_requests), 1);
    cr_assert_null(held_of(&conn->recv_op));            /* nor does it bring more bytes */
    cr_assert_eq(stage.worker.requests.blocks_used, 2); /* what waits, and the answer */
    sent_by(conn);
    cr_assert_eq(stage_counted(http_requests), 40);
    cr_assert_not_null(held_of(&conn->recv_op));
    cr_assert_eq(stage.worker.requests.blocks_used, 0);
}

Test(phase_http, request_that_does_not_come_is_ended_in_time)
{
    say_text(conn, "GET /not");
    stage_pass_ms(9900);
    cr_assert_eq(conn->phase, PHASE_HTTP);
    stage_pass_ms(200);
    cr_assert_eq(conn->close_reason, CLOSE_HANDSHAKE_TIMEOUT);
    cr_assert_eq(stage_counted(handshake_timeouts), 1);
}

Test(phase_http, each_request_has_its_own_time)
{
    stage_pass_ms(6000);
    say_text(conn, NOT_HERE);
    sent_by(conn);
    stage_pass_ms(6000);
    cr_assert_eq(conn->phase, PHASE_HTTP);
    stage_pass_ms(4200); /* without a further request it is simply done */
    cr_assert_eq(conn->close_reason, CLOSE_HTTP_DONE);
    cr_assert(conn->close_submitted);
    cr_assert_eq(stage_counted(handshake_timeouts), 0);
}

Test(phase_http, slow_reader_of_the_last_answer_is_not_cut_off)
{
    say_text(conn, NOT_HERE);
    stage_turn();
    stage_pass_ms(10200);
    cr_assert_eq(conn->close_reason, CLOSE_HTTP_DONE);
    cr_assert_not(conn->close_submitted);
}

Test(phase_http, peer_that_ends_its_direction_still_gets_its_answer)
{
    say_text(conn, NOT_HERE);
    say_end(conn);
    cr_assert_eq(conn->phase, PHASE_CLOSING);
    cr_assert_str_eq(statuses(), "404");
    cr_assert(conn->fin_sent && conn->close_submitted);
}

static bool is_in_a_buffer(const char *secret)
{
    return memmem(stage.worker.recv_pool.memory, (size_t)RECV_BUFFERS * RECV_BUFFER_BYTES, secret,
                  strlen(secret)) != NULL;
}

Test(phase_http, no_secret_stays_in_a_receive_buffer)
{
    static const char *const requests[] = {
        "GET /nothing HTTP/1.1\r\n" HOST "Authorization: the-secret\r\n\r\n",
        "GET /nothing HTTP/1.1\r\n" HOST "Authorization: the-secret",
        "GET /?the-secret HTTP/7.9\r\n" HOST "\r\nthe-secret",
        "GET /nothing HTTP/1.1\r\n" HOST "Connection: close\r\n\r\nthe-secret",
    };

    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        say_text(conn, requests[i]);
        cr_assert_not(is_in_a_buffer("the-secret"), "%zu", i);
        stage_close_connections();
        conn = stage_connect(LISTENER_ACCESS);
    }
}

Test(phase_http, phase_that_is_left_frees_its_request)
{
    say_text(conn, "GET /not");
    cr_assert_eq(stage.worker.requests.blocks_used, 1);
    conn_close_now(conn, CLOSE_DRAIN);
    cr_assert_eq(stage.worker.requests.blocks_used, 0);
}

Test(phase_http, without_memory_for_requests_the_connection_is_closed_and_counted)
{
    stage.worker.requests.bytes_max = 0;
    say_text(conn, NOT_HERE);
    cr_assert_eq(conn->close_reason, CLOSE_IO_ERROR);
    cr_assert_eq(stage_counted(http_refused_memory), 1);
}

Test(phase_http, without_memory_for_an_answer_the_connection_ends)
{
    say_text(conn, "GET /nothing HTTP/1.1\r\n" HOST);
    stage.worker.requests.bytes_max = stage.worker.requests.bytes_held + 256;
    say_text(conn, "\r\n");
    cr_assert_eq(conn->close_reason, CLOSE_HTTP_DONE);
    cr_assert_eq(stage_counted(http_refused_memory), 1);
}

Test(phase_http, path_of_the_public_url_is_left_out)
{
    stage.shared.access.audience = "http://x/pre";
    say_text(conn, "HEAD /pre/docs HTTP/1.1\r\n" HOST "\r\n" DOCS "HEAD /predocs HTTP/1.1\r\n" HOST
                   "\r\n");
    cr_assert_str_eq(statuses(), "200 200 404");
}

Test(phase_http, on_a_port_for_both_the_upgrade_decides)
{
    stage_close_connections();
    conn = stage_connect(LISTENER_BOTH);
    say_text(conn, DOCS);
    cr_assert_str_eq(statuses(), "200");
    ask_for_websocket(conn, "t0", "wrong");
    cr_assert_eq(stage_counted(websockets_refused), 1);
}

/* Upgrades */

Test(phase_http, refused_upgrade_is_answered_and_is_the_last)
{
    static const struct {
        const char *target, *status;
    } cases[] = {
        {"/session/t0?code=wrong", "401"},
        {"/session/t0", "401"},
        {"/nothing", "404"},
        {"/session//t0", "301"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char request[512];

        stage_close_connections();
        conn = stage_connect(LISTENER_RELAY);
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" SERVICE_UPGRADE "\r\n",
                 cases[i].target);
        say_text(conn, request);
        cr_assert_str_eq(statuses(), cases[i].status);
        cr_assert_eq(conn->close_reason, CLOSE_HTTP_REFUSED);
        cr_assert_eq(stage_counted(websockets_refused), i + 1);
    }
}

Test(phase_http, bytes_behind_an_upgrade_belong_to_the_websocket)
{
    struct conn *viewer = join("t0", true, false);
    char code[CODE_SIZE], request[512];

    conn = stage_connect(LISTENER_RELAY);
    make_code("t0", false, true, code);
    int len =
        snprintf(request, sizeof request,
                 "GET /session/t0?code=%s HTTP/1.1\r\n" SERVICE_UPGRADE "\r\n\x81\x85%c%c%c%chello",
                 code, 0, 0, 0, 0);

    say(conn, bytes_of(request, (size_t)len));
    cr_assert_eq(conn->phase, PHASE_WEBSOCKET);
    expect_bytes(sent_by(viewer), "\x81\x05hello");
    cr_assert_not_null(strstr(answers(), "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    cr_assert_not(is_in_a_buffer(code));
    cr_assert_eq(stage.worker.requests.blocks_used, 0);
}

/* Answers that come later */

/* As after a request of HTTP/1.1. */
static struct deferred_ticket defer(void)
{
    phase_http_of(conn)->minor_version = 1;
    return deferred_begin(conn, phase_http_answer_deferred);
}

Test(phase_http, what_follows_a_deferred_request_is_thrown_away)
{
    struct deferred_ticket ticket = defer();
    struct access_reply reply = {0};

    say_text(conn, NOT_HERE);
    say_end(conn);
    stage_pass_ms(60000);
    cr_assert_eq(conn->phase, PHASE_HTTP); /* the answer is ours to give */
    cr_assert_eq(stage_counted(http_requests), 0);
    access_reply_empty(&reply, 204);
    deferred_finish(ticket, &reply);
    cr_assert_eq(conn->close_reason, CLOSE_HTTP_DONE);
    cr_assert_str_eq(statuses(), "204");
}

Test(phase_http, stop_waits_for_a_deferred_answer)
{
    struct deferred_ticket ticket = defer();
    struct access_reply reply = {0};

    conn_end(conn, CLOSE_DRAIN);
    cr_assert_eq(conn->phase, PHASE_HTTP);
    access_reply_empty(&reply, 204);
    deferred_finish(ticket, &reply);
    cr_assert_str_eq(statuses(), "204");
}

Test(phase_http, stop_closes_an_idle_connection_at_once_and_another_after_its_answer)
{
    struct conn *other = stage_connect(LISTENER_ACCESS);

    say_text(other, NOT_HERE);
    conn_end(conn, CLOSE_DRAIN);
    cr_assert(conn->close_submitted);
    conn_end(other, CLOSE_DRAIN);
    cr_assert_not(other->close_submitted);
    sent_by(other);
    cr_assert(other->fin_sent);
    cr_assert_not(other->close_submitted); /* a request may be on its way */
}

/* Requests that have had no turn yet */

static void receive_only(const char *text)
{
    kernel_receive(held_of(&conn->recv_op), bytes_of_text(text));
    cr_assert_eq(stage_counted(http_requests), 0);
}

Test(phase_http, request_that_waits_for_its_turn_at_a_stop_is_answered)
{
    receive_only(NOT_HERE);
    conn_end(conn, CLOSE_DRAIN);
    cr_assert_eq(stage_counted(http_requests), 1);
    cr_assert_eq(conn->phase, PHASE_CLOSING);
    cr_assert_str_eq(statuses(), "404");
}

Test(phase_http, end_that_came_with_an_upgrade_ends_the_websocket)
{
    char code[CODE_SIZE], request[512];

    conn = stage_connect(LISTENER_RELAY);
    make_code("t0", true, true, code);
    snprintf(request, sizeof request, "GET /session/t0?code=%s HTTP/1.1\r\n" SERVICE_UPGRADE "\r\n",
             code);
    receive_only(request);
    conn_receive_end(conn); /* as with close_notify in the same segment */
    cr_assert_eq(conn->phase, PHASE_HTTP);
    engine_on_work(&stage.table);
    cr_assert_eq(stage_counted(websockets_opened), 1);
    cr_assert_eq(conn->phase, PHASE_CLOSING);
}

/* A turn of a busy machine may be over after one connection. */
static void work(unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        engine_on_work(&stage.table);
    }
}

static void receive_part(struct conn *from)
{
    kernel_receive(held_of(&from->recv_op), bytes_of_text("GET /not"));
}

Test(phase_http, request_has_the_memory_of_an_evicted_one_at_once)
{
    struct conn *first = conn, *second = stage_connect(LISTENER_ACCESS);
    struct conn *third = stage_connect(LISTENER_ACCESS), *last = stage_connect(LISTENER_ACCESS);

    say_text(first, "GET /not");
    say_text(second, "GET /not");
    receive_part(third);
    receive_part(last);
    stage.worker.requests.bytes_max = stage.worker.requests.bytes_held;
    work(2);
    cr_assert_eq(stage.table.evicting, 2);
    cr_assert_eq(stage_counted(connections_evicted), 2);
    cr_assert(first->close_reason == CLOSE_EVICTED && second->close_reason == CLOSE_EVICTED);
    cr_assert_not_null(phase_http_of(third)->request);
    cr_assert_not_null(phase_http_of(last)->request);
}

/* As when the memory is that of answers on their way. */
Test(phase_http, request_waits_for_the_memory_of_an_evicted_one)
{
    struct conn *first = conn, *last = stage_connect(LISTENER_ACCESS);

    receive_part(last);
    stage.worker.requests.bytes_max = stage.worker.requests.bytes_held;
    work(1);
    cr_assert_eq(first->close_reason, CLOSE_EVICTED);
    cr_assert_eq(stage_counted(http_refused_memory), 1);
    cr_assert(last->phase == PHASE_HTTP && phase_http_of(last)->request == NULL);
    cr_assert(!unfinished_waits(&stage.table.unfinished), "it would spin until it is closed");
    stage.worker.requests.bytes_max += 2 * sizeof(struct http_request);
    kernel_finish_close();
    cr_assert_eq(stage.table.evicting, 0);
    work(1);
    cr_assert_not_null(phase_http_of(last)->request);
}

Test(phase_http, bytes_without_memory_evict_the_oldest)
{
    struct conn *first = conn, *last = stage_connect(LISTENER_ACCESS);

    say_text(first, "GET /not");
    block_pool_trim(&stage.worker.requests, 0);
    stage.worker.requests.bytes_max = stage.worker.requests.bytes_held;
    receive_part(last);
    cr_assert_eq(first->close_reason, CLOSE_EVICTED);
    cr_assert_eq(last->phase, PHASE_HTTP);
    cr_assert_eq(stage_counted(http_refused_memory), 1);
}

Test(phase_http, connection_that_is_closing_already_makes_room_and_is_counted)
{
    conn_close_begin(conn, CLOSE_HTTP_DONE);
    cr_assert_eq(conn->phase, PHASE_CLOSING);
    cr_assert(conn_close_oldest(&stage.table));
    cr_assert_eq(stage_counted(connections_evicted), 1);
    cr_assert_eq(conn->close_reason, CLOSE_HTTP_DONE);
    cr_assert(!conn_close_oldest(&stage.table));
    cr_assert_eq(stage_counted(connections_evicted), 1);
}
