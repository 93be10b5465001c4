/* Goal: WebSockets go on in another program as if nothing had happened: no byte is lost, doubled or
 * moved, in either direction, wherever a message, a frame or a send was cut by the move.
 * Method: two programs with workers that the test turns (programs.h), and peers that read what they
 * hear to the byte. */
#include "server/handover/live/live_part.h"

#include "tests/unit/server/handover/live/programs.h"

static struct program *const first = &programs[0], *const second = &programs[1];
static struct peer publisher, viewer;
static struct conn *publishing, *viewing; /* in the first program */

static void open_programs(void)
{
    programs_open(2, 2);
    publishing = program_join(first, 0, "t0", false, true, &publisher);
    viewing = program_join(first, 1, "t0", true, false, &viewer);
}

static void close_programs(void)
{
    programs_close();
    peer_close(&publisher);
    peer_close(&viewer);
}

TestSuite(live_part, .init = open_programs, .fini = close_programs);

static const struct phase_websocket *phase_of(struct program *program, unsigned index)
{
    return phase_websocket_of(program_newest(program, index));
}

/* Turns often enough for all that is here to be taken. */
static void settle(struct program *program)
{
    for (unsigned i = 0; i < 20; i++) {
        program_turn(program);
    }
}

static void expect_passes(struct program *program, const char *text)
{
    peer_say(&publisher, FRAME_FIN | WS_OPCODE_TEXT, text);
    peer_expect_text(program, &viewer, text);
}

Test(live_part, both_directions_go_on_in_the_other_program)
{
    expect_passes(first, "before");
    programs_move(first, second);
    cr_assert_eq(first->tables[0].open_count + first->tables[1].open_count, 0);
    cr_assert_eq(second->tables[0].open_count, 1);
    cr_assert_eq(second->tables[1].open_count, 1);
    expect_passes(second, "after");
}

Test(live_part, it_takes_what_was_said_when_no_program_received)
{
    program_freeze(first);
    peer_say(&publisher, FRAME_FIN | WS_OPCODE_TEXT, "meanwhile");
    program_thaw(first);
    programs_move(first, second);
    peer_expect_text(second, &viewer, "meanwhile");
}

/* Each byte of a message with long frames, in two of them, is the last that the first program
 * takes. */
Test(live_part, message_may_be_cut_anywhere)
{
    static const char text[] = "a long message that is cut \xc3\xa4 by the move";
    uint8_t frames[512];
    size_t half = 28, len = frame_of(frames, WS_OPCODE_TEXT, text, half); /* inside a character */

    len += frame_of(frames + len, FRAME_FIN | WS_OPCODE_PING, "p", 1);
    len += frame_of(frames + len, FRAME_FIN | WS_OPCODE_CONTINUATION, text + half,
                    strlen(text) - half);
    for (size_t cut = 1; cut < len; cut++) {
        struct program *from = &programs[cut % 2 == 1 ? 0 : 1];
        struct program *to = &programs[cut % 2 == 1 ? 1 : 0];

        peer_send(&publisher, bytes_of(frames, cut));
        settle(from);
        programs_move(from, to);
        peer_send(&publisher, bytes_of(frames + cut, len - cut));
        peer_expect_text(to, &viewer, text);
    }
    unsigned opcode;
    struct bytes payload;

    for (size_t cut = 1; cut < len; cut++) { /* a pong for each ping */
        cr_assert(peer_next(&publisher, &opcode, &payload));
        cr_assert_eq(opcode, WS_OPCODE_PONG);
        cr_assert(bytes_equal_text(payload, "p"));
    }
    cr_assert_not(peer_next(&publisher, &opcode, &payload));
}

Test(live_part, text_is_checked_across_the_move)
{
    uint8_t frames[64];
    size_t len = frame_of(frames, FRAME_FIN | WS_OPCODE_TEXT, "\xc3x", 2);
    unsigned opcode;
    struct bytes payload;

    peer_send(&publisher, bytes_of(frames, len - 1));
    settle(first);
    programs_move(first, second);
    peer_send(&publisher, bytes_of(frames + len - 1, 1));
    program_await(second, peer_next(&publisher, &opcode, &payload));
    cr_assert_eq(opcode, WS_OPCODE_CLOSE);
    cr_assert_eq(payload.data[0] << 8 | payload.data[1], WS_CLOSE_INVALID_TEXT);
}

/* Bytes that can be told apart by their place. */
static uint8_t *pattern_of(size_t len, uint32_t seed)
{
    uint8_t *bytes = malloc(len + 16);

    CHECK(bytes != NULL);
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(seed >> 24);
    }
    return bytes;
}

/* The kernel takes as much of the frame as it has room for, and the rest when the other reads. */
static void send_slowly(struct program *program, const struct peer *peer, struct bytes bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(peer->fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent > 0) {
            bytes = bytes_skip(bytes, (size_t)sent);
        }
        program_turn(program);
    }
}

static void expect_pattern(struct program *program, const uint8_t *bytes, size_t len)
{
    struct bytes payload;
    unsigned opcode;

    program_await(program, peer_next(&viewer, &opcode, &payload));
    cr_assert_eq(opcode, WS_OPCODE_BINARY);
    cr_assert(bytes_equal(payload, bytes_of(bytes, len)));
}

/* The largest, of which the half has come. */
Test(live_part, large_message_goes_on_arriving)
{
    size_t len = MESSAGE_BYTES_MAX, cut = len / 2;
    uint8_t *payload = pattern_of(len, 1), *frame = malloc(len + 16);
    size_t frame_len = frame_of(frame, FRAME_FIN | WS_OPCODE_BINARY, payload, len);

    send_slowly(first, &publisher, bytes_of(frame, cut));
    settle(first);
    cr_assert_gt(phase_of(first, 0)->message->payload_len, 1 << 20);
    programs_move(first, second);
    send_slowly(second, &publisher, bytes_of(frame + cut, frame_len - cut));
    expect_pattern(second, payload, len);
    free(payload);
    free(frame);
}

/* A viewer that does not read: one message is partly sent, others wait. */
Test(live_part, queue_goes_on_at_the_byte)
{
    enum { COUNT = 6 };
    size_t len = 4 << 20;
    uint8_t *payloads[COUNT], *frame = malloc(len + 16);

    for (unsigned i = 0; i < COUNT; i++) {
        payloads[i] = pattern_of(len, i);
        size_t frame_len = frame_of(frame, FRAME_FIN | WS_OPCODE_BINARY, payloads[i], len);

        send_slowly(first, &publisher, bytes_of(frame, frame_len));
    }
    settle(first);
    const struct send_queue *queue = &viewing->subscriber.queue;

    program_freeze(first);
    cr_assert_gt(queue->count, 1);
    cr_assert_gt(queue->sent_offset, 0, "one is partly sent");
    program_thaw(first);
    settle(first);
    programs_move(first, second);
    settle(second);
    programs_move(second, first);
    for (unsigned i = 0; i < COUNT; i++) {
        expect_pattern(first, payloads[i], len);
        free(payloads[i]);
    }
    free(frame);
    expect_passes(first, "at last");
}

Test(live_part, message_is_written_once_for_all_its_viewers)
{
    enum { VIEWERS = 8 };
    struct peer viewers[VIEWERS];
    size_t len = 4 << 20;
    uint8_t *payload = pattern_of(len, 1), *frame = malloc(len + 16);

    for (unsigned i = 0; i < VIEWERS; i++) {
        program_join(first, 1, "t0", true, false, &viewers[i]);
    }
    for (unsigned i = 0; i < 3; i++) {
        send_slowly(first, &publisher,
                    bytes_of(frame, frame_of(frame, FRAME_FIN | WS_OPCODE_BINARY, payload, len)));
    }
    program_await(first, phase_websocket_of(publishing)->messages_received == 3);
    settle(first);
    program_freeze(first);
    cr_assert_lt(live_part_size(&first->tables[1]), 3 * len + (1 << 20));
    cr_assert_lt(live_part_size(&first->tables[0]), 1 << 20);
    program_thaw(first);
    programs_move(first, second);
    cr_assert_lt(second->workers[1].blocks.bytes_held, 4 * len);
    for (unsigned i = 0; i < VIEWERS; i++) {
        unsigned opcode;
        struct bytes heard;

        for (unsigned message = 0; message < 3; message++) {
            program_await(second, peer_next(&viewers[i], &opcode, &heard));
            cr_assert(bytes_equal(heard, bytes_of(payload, len)));
        }
        peer_close(&viewers[i]);
    }
    free(payload);
    free(frame);
}

Test(live_part, what_is_known_of_a_connection_moves)
{
    expect_passes(first, "one");
    struct phase_websocket before = *phase_websocket_of(publishing);
    uint64_t bytes_sent = viewing->bytes_sent,
             payload_sent = viewing->subscriber.queue.payload_sent;

    viewing->subscriber.lag.dropped[LAG_POLICY_DATA] = 7;
    viewing->subscriber.lag.age_ms_max = 1234;
    programs_move(first, second);
    const struct phase_websocket *ws = phase_of(second, 0);
    const struct conn *viewed = program_newest(second, 1);

    cr_assert_str_eq(ws->topic->name, "t0");
    cr_assert_eq(ws->topic->registry, &second->topics);
    cr_assert_str_eq(ws->identity.booking_id, "b0");
    cr_assert_str_eq(ws->identity.scopes_json, "[\"read\"]");
    cr_assert_str_eq(ws->identity.user_agent, "ua/1");
    cr_assert_str_eq(ws->identity.remote_address, "127.0.0.1");
    cr_assert_str_eq(ws->identity.reported_address, "127.0.0.1");
    cr_assert_eq(ws->exp_s, before.exp_s);
    cr_assert_eq(ws->opened_s, before.opened_s);
    cr_assert_eq(ws->opened_ms, before.opened_ms);
    cr_assert_eq(ws->messages_received, 1);
    cr_assert_eq(ws->bytes_received, 3);
    cr_assert_eq(ws->first_received_ms, before.first_received_ms);
    cr_assert_eq(ws->source, before.source);
    cr_assert(ws->can_write && !ws->can_read && ws->has_published);
    cr_assert_eq(ws->ping_due_ms, before.ping_due_ms);
    cr_assert_eq(viewed->messages_sent, 1);
    cr_assert_eq(viewed->bytes_sent, bytes_sent);
    cr_assert_eq(viewed->subscriber.queue.payload_sent, payload_sent);
    cr_assert_eq(viewed->subscriber.lag.dropped[LAG_POLICY_DATA], 7);
    cr_assert_eq(viewed->subscriber.lag.age_ms_max, 1234);
    cr_assert_eq(atomic_load(&ws->topic->audience.viewers), 1);
    cr_assert_eq(atomic_load(&ws->topic->audience.publishers), 1);
    cr_assert_eq(places_count(first->shared.access.places), 0);
    cr_assert_eq(places_count(second->shared.access.places), 2);
    cr_assert_eq(atomic_load(&first->topics.topics_count), 0);
}

/* The other program's run clock stands elsewhere: it was paused, or it began later. */
Test(live_part, times_are_those_of_the_other_clock)
{
    for (unsigned i = 0; i < 2; i++) {
        second->workers[i].now_ms -= 5000; /* for the same moment of the monotonic clock */
    }
    uint64_t due_ms = phase_websocket_of(viewing)->ping_due_ms;

    programs_move(first, second);
    cr_assert_eq(phase_of(second, 1)->ping_due_ms, due_ms - 5000);
    cr_assert_eq(phase_of(second, 1)->pong_due_ms, NO_PONG_DUE);
    cr_assert_eq(phase_of(second, 1)->first_received_ms, 0, "none is none");
}

Test(live_part, pings_go_on_when_they_are_due)
{
    unsigned opcode;
    struct bytes payload;

    program_pass_ms(first, 20000);
    program_pass_ms(second, 20000);
    programs_move(first, second);
    settle(second);
    cr_assert_not(peer_next(&viewer, &opcode, &payload));
    program_pass_ms(second, 5200);
    program_await(second, peer_next(&viewer, &opcode, &payload));
    cr_assert_eq(opcode, WS_OPCODE_PING);
    program_pass_ms(first, 5200); /* one clock for both */
    programs_move(second, first);
    program_pass_ms(first, 28000);
    cr_assert_eq(program_counted(first, 1, closed_no_pong), 1);
}

Test(live_part, end_of_the_token_holds_in_the_other_program)
{
    phase_websocket_of(viewing)->exp_s = clock_wall_s() - 1;
    timer_disarm(&viewing->expiry); /* as if it came only now */
    programs_move(first, second);
    program_pass_ms(second, 200);
    cr_assert_eq(program_newest(second, 1)->close_reason, CLOSE_EXPIRED);
}

Test(live_part, denial_on_the_way_holds)
{
    program_freeze(first);
    struct moved part = program_write(first, 1);
    char error[256];

    cr_assert(program_read(second, 1, &part, error, sizeof error), "%s", error);
    moved_free(&part);
    cr_assert_eq(
        bookings_deny(second->shared.access.bookings, "b0", clock_wall_s() + 3600, clock_wall_s()),
        0);
    live_part_start(&second->tables[1]);
    unsigned opcode;
    struct bytes payload;

    program_await(second, peer_next(&viewer, &opcode, &payload));
    cr_assert_eq(opcode, WS_OPCODE_CLOSE);
    cr_assert_eq(payload.data[0] << 8 | payload.data[1], WS_CLOSE_DENIED);
}

/* Denials are looked up by booking. */
Test(live_part, connection_is_found_by_its_booking)
{
    programs_move(first, second);
    struct list *bookings = conn_table_booking(&second->tables[1], "b0");

    cr_assert_not(list_empty(bookings));
    cr_assert_eq(container_of(bookings->next, struct conn, booking_node),
                 program_newest(second, 1));
}

/* The other one failed. */
Test(live_part, first_program_goes_on_after_a_thaw)
{
    char error[256];

    program_freeze(first);
    for (unsigned i = 0; i < 2; i++) {
        struct moved part = program_write(first, i);

        cr_assert(program_read(second, i, &part, error, sizeof error));
        moved_free(&part);
    }
    live_part_drop(&second->tables[0]);
    live_part_drop(&second->tables[1]);
    program_thaw(first);
    cr_assert_eq(second->tables[0].open_count + second->tables[1].open_count, 0);
    cr_assert_eq(places_count(second->shared.access.places), 0);
    expect_passes(first, "on");
    programs_move(first, second);
    expect_passes(second, "and on");
}

Test(live_part, peer_that_ends_meanwhile_is_seen_in_the_other_program)
{
    program_freeze(first);
    shutdown(viewer.fd, SHUT_RDWR);
    for (unsigned i = 0; i < 2; i++) {
        struct moved part = program_write(first, i);
        char error[256];

        cr_assert(program_read(second, i, &part, error, sizeof error));
        moved_free(&part);
        live_part_start(&second->tables[i]);
        live_part_let_go(&first->tables[i]);
    }
    program_await(second, second->tables[1].open_count == 0);
    cr_assert_eq(program_counted(second, 1, closed_by_peer), 1);
}

Test(live_part, workers_may_be_fewer)
{
    program_close(second);
    program_open(second, 1);
    programs_move(first, second);
    cr_assert_eq(second->tables[0].open_count, 2);
    expect_passes(second, "one for both");
    programs_move(second, first);
    cr_assert_eq(first->tables[0].open_count, 2);
    expect_passes(first, "back");
}

Test(live_part, part_that_finds_no_place_is_refused)
{
    char error[256] = "";

    second->shared.connections_max = 0;
    program_freeze(first);
    struct moved part = program_write(first, 0);

    cr_assert_not(program_read(second, 0, &part, error, sizeof error));
    cr_assert_str_eq(error, "the part of a worker: there are fewer places for connections");
    moved_free(&part);
    program_thaw(first);
    expect_passes(first, "on");
}

Test(live_part, part_that_is_cut_off_is_refused_and_leaves_nothing)
{
    peer_say(&publisher, WS_OPCODE_TEXT, "begun");
    settle(first);
    program_freeze(first);
    struct moved whole = program_write(first, 0);

    for (size_t len = 0; len < whole.len; len += 7) {
        struct moved part = {.bytes = whole.bytes, .len = len, .fds_count = 1};
        int fd = dup(whole.fds[0]);
        char error[256] = "";

        part.fds = &fd;
        cr_assert_not(program_read(second, 0, &part, error, sizeof error), "at %zu", len);
        cr_assert_neq(error[0], '\0');
        live_part_drop(&second->tables[0]);
        cr_assert_eq(fcntl(fd, F_GETFD), -1, "it is closed");
        cr_assert_eq(second->tables[0].open_count, 0);
        cr_assert_eq(second->workers[0].blocks.blocks_used, 0);
        cr_assert_eq(places_count(second->shared.access.places), 0);
    }
    close(whole.fds[0]);
    moved_free(&whole);
    program_thaw(first);
    peer_say(&publisher, FRAME_FIN | WS_OPCODE_CONTINUATION, " and ended");
    peer_expect_text(first, &viewer, "begun and ended");
}

/* Any byte of it may be another one. */
Test(live_part, part_that_is_damaged_hurts_no_program)
{
    peer_say(&publisher, WS_OPCODE_TEXT, "begun");
    settle(first);
    program_freeze(first);
    struct moved whole = program_write(first, 0);

    program_read_damaged(second, &whole);
    close(whole.fds[0]);
    moved_free(&whole);
    program_thaw(first);
}
