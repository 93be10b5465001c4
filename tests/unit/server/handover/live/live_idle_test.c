/* Goal: a client that asks nothing at the moment of a move asks the other program next, and none is
 * asked twice. Method: two programs (programs.h), and a peer that asks for a WebSocket before, at
 * or after the move. */
#include "server/handover/live/live_idle.h"

#include "tests/unit/server/handover/live/programs.h"

static struct program *const first = &programs[0], *const second = &programs[1];
static struct peer peer;
static struct conn *conn;

static void open_programs(void)
{
    int ours;

    programs_open(1, 1);
    peer = (struct peer){0};
    program_tcp_pair(&ours, &peer.fd);
    conn_open(&first->tables[0], ours, LISTENER_RELAY);
    conn = program_newest(first, 0);
    program_turn(first);
}

static void close_programs(void)
{
    programs_close();
    peer_close(&peer);
}

TestSuite(live_idle, .init = open_programs, .fini = close_programs);

static void make_request(struct program *program, char *request, size_t size)
{
    struct permission permission = {.topic = "t0",
                                    .booking_id = "b0",
                                    .exp_s = clock_wall_s() + 3600,
                                    .scopes_json = "[]",
                                    .can_read = true,
                                    .is_session = true};
    char code[CODE_SIZE];

    CHECK(code_store_put(program->shared.access.codes, &permission, program->workers[0].now_ms,
                         code) == 0);
    snprintf(request, size,
             "GET /session/t0?code=%s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
             code);
}

static void expect_websocket(struct program *program)
{
    peer_skip_answer(program, &peer);
    cr_assert_eq(program_newest(program, 0)->phase, PHASE_WEBSOCKET);
}

Test(live_idle, first_request_may_come_after_the_move)
{
    char request[512];

    programs_move(first, second);
    cr_assert_eq(first->tables[0].open_count, 0);
    make_request(second, request, sizeof request);
    peer_send(&peer, bytes_of_text(request));
    expect_websocket(second);
}

/* It waits for its turn, which is the other program's. */
Test(live_idle, request_that_waits_is_answered_by_the_other_program)
{
    char request[512];

    engine_hold_requests(&first->tables[0], true);
    make_request(second, request, sizeof request);
    peer_send(&peer, bytes_of_text(request));
    program_await(first, !inbox_is_empty(&phase_http_of(conn)->inbox));
    programs_move(first, second);
    expect_websocket(second);
    cr_assert_eq(program_counted(first, 0, http_requests), 0);
    cr_assert_eq(program_counted(second, 0, http_requests), 1);
}

Test(live_idle, request_that_waits_is_answered_after_a_thaw)
{
    char request[512];

    engine_hold_requests(&first->tables[0], true);
    make_request(first, request, sizeof request);
    peer_send(&peer, bytes_of_text(request));
    program_await(first, !inbox_is_empty(&phase_http_of(conn)->inbox));
    program_freeze(first);
    program_thaw(first);
    engine_hold_requests(&first->tables[0], false);
    expect_websocket(first);
}

Test(live_idle, request_that_is_half_read_stays)
{
    char request[512];

    make_request(first, request, sizeof request);
    peer_send(&peer, bytes_of(request, 50));
    program_await(first, phase_http_of(conn)->request != NULL);
    programs_move(first, second);
    cr_assert_eq(second->tables[0].open_count, 0);
    peer_send(&peer, bytes_of_text(request + 50));
    expect_websocket(first);
}

Test(live_idle, time_for_a_request_goes_on)
{
    program_pass_ms(first, 9000);
    program_pass_ms(second, 9000);
    programs_move(first, second);
    program_pass_ms(second, 500);
    cr_assert_eq(second->tables[0].open_count, 1);
    program_pass_ms(second, 1000);
    program_await(second, second->tables[0].open_count == 0);
    cr_assert_eq(program_counted(second, 0, handshake_timeouts), 1);
}

Test(live_idle, peer_that_left_is_seen_in_the_other_program)
{
    programs_move(first, second);
    shutdown(peer.fd, SHUT_RDWR);
    program_await(second, second->tables[0].open_count == 0);
}

Test(live_idle, no_memory_is_told)
{
    char request[512], error[256] = "";

    engine_hold_requests(&first->tables[0], true);
    make_request(first, request, sizeof request);
    peer_send(&peer, bytes_of_text(request));
    program_await(first, !inbox_is_empty(&phase_http_of(conn)->inbox));
    program_freeze(first);
    struct moved part = program_write(first, 0);

    second->workers[0].requests.bytes_max = second->workers[0].requests.bytes_held;
    cr_assert_not(program_read(second, 0, &part, error, sizeof error));
    cr_assert_str_eq(error, "the part of a worker: no memory for what was received");
    live_part_drop(&second->tables[0]);
    moved_free(&part);
    program_thaw(first);
}
