/* Goal: only those move of which all is known; a record whose state no connection can have is none,
 * and costs nothing. Method: two programs (programs.h); records of a real connection in which
 * fields are changed. */
#include "server/handover/live/live_websocket.h"

#include <endian.h>

#include "server/handover/handover_format.h"
#include "server/handover/live/live_format.h"
#include "tests/unit/server/handover/live/programs.h"

static struct program *const first = &programs[0], *const second = &programs[1];
static struct peer peer;
static struct conn *conn;

static void open_programs(void)
{
    programs_open(1, 1);
    conn = program_join(first, 0, "t0", true, true, &peer);
}

static void close_programs(void)
{
    programs_close();
    peer_close(&peer);
}

TestSuite(live_websocket, .init = open_programs, .fini = close_programs);

Test(live_websocket, those_move_of_which_all_is_known)
{
    static const struct transport_ops other = {.text = "other"};

    cr_assert_not(live_websocket_may_move(conn), "it is not held");
    program_freeze(first);
    cr_assert(live_websocket_may_move(conn));
    conn->peer_ended = true;
    cr_assert(live_websocket_may_move(conn), "what it said last counts in the other program");
    conn->peer_ended = false;
    conn->receive_blocked = true;
    cr_assert_not(live_websocket_may_move(conn));
    conn->receive_blocked = false;
    conn->ends_later = true;
    cr_assert_not(live_websocket_may_move(conn));
    conn->ends_later = false;
    conn->transport = &other;
    cr_assert_not(live_websocket_may_move(conn));
    conn->transport = &transport_plain;
    cr_assert(live_websocket_may_move(conn));
    program_thaw(first);
}

/* One that is written as none of a part is. */
Test(live_websocket, one_that_cannot_move_goes_on)
{
    program_freeze(first);
    conn->receive_blocked = true;
    struct moved part = program_write(first, 0);

    cr_assert_eq(part.fds_count, 0);
    conn->receive_blocked = false;
    live_part_let_go(&first->tables[0]);
    moved_free(&part);
    cr_assert_eq(first->tables[0].open_count, 1);
    peer_say(&peer, FRAME_FIN | WS_OPCODE_PING, "p");
    unsigned opcode;
    struct bytes payload;

    program_await(first, peer_next(&peer, &opcode, &payload));
    cr_assert_eq(opcode, WS_OPCODE_PONG);
}

/* The place of a field's value in the part; its length is *ret_len. */
static uint8_t *find_field(struct moved *part, uint16_t id, size_t *ret_len)
{
    struct bytes rest =
        bytes_of(part->bytes + HANDOVER_PRELUDE_BYTES, part->len - HANDOVER_PRELUDE_BYTES);
    struct handover_record record;
    struct bytes value;
    size_t len;

    do {
        cr_assert_eq(handover_reader_record(rest, &record, &len), HANDOVER_READ);
        rest = bytes_skip(rest, len);
    } while (record.kind != LIVE_KIND_WEBSOCKET);
    cr_assert(handover_reader_bytes(&record, id, &value));
    *ret_len = value.len;
    return (uint8_t *)(uintptr_t)value.data;
}

static bool reads_with(uint16_t id, uint64_t value)
{
    struct moved part = program_write(first, 0);
    char error[256];
    size_t len;
    uint8_t *field = find_field(&part, id, &len);
    uint64_t little = htole64(value);

    cr_assert_eq(len, sizeof little);
    memcpy(field, &little, sizeof little);
    bool is_read = program_read(second, 0, &part, error, sizeof error);

    live_part_drop(&second->tables[0]);
    moved_free(&part);
    cr_assert_eq(second->workers[0].blocks.blocks_used, 0);
    cr_assert_eq(second->tables[0].open_count, 0);
    cr_assert_eq(places_count(second->shared.access.places), 0);
    return is_read;
}

static void begin_message(void)
{
    uint8_t frame[64];

    frame_of(frame, FRAME_FIN | WS_OPCODE_BINARY, "0123456789", 10);
    peer_send(&peer, bytes_of(frame, 6 + 4));
    program_await(first, phase_websocket_of(conn)->payload_done == 4);
    program_freeze(first);
}

Test(live_websocket, state_that_no_connection_has_is_none)
{
    begin_message();
    cr_assert(reads_with(LIVE_WEBSOCKET_PAYLOAD_DONE, 4));
    cr_assert_not(reads_with(LIVE_WEBSOCKET_PAYLOAD_DONE, 5), "more than has come");
    cr_assert_not(reads_with(LIVE_WEBSOCKET_PAYLOAD_DONE, 11));
    cr_assert_not(reads_with(LIVE_WEBSOCKET_FRAME_LEN, 11));
    cr_assert_not(reads_with(LIVE_WEBSOCKET_FRAME_LEN, UINT64_MAX));
    cr_assert_not(reads_with(LIVE_WEBSOCKET_MESSAGE_LEN, 9));
    cr_assert_not(reads_with(LIVE_WEBSOCKET_FRAME_OPCODE, 5));
    cr_assert_not(reads_with(LIVE_WEBSOCKET_FRAME_OPCODE, WS_OPCODE_PING));
    cr_assert_not(reads_with(LIVE_WEBSOCKET_IN_PAYLOAD, 0), "there is a message, then");
    cr_assert_not(reads_with(LIVE_WEBSOCKET_DISCARDING, 1));
    cr_assert_not(reads_with(LIVE_WEBSOCKET_CAN_WRITE, 0), "readers publish nothing");
    cr_assert_not(reads_with(LIVE_WEBSOCKET_TOPIC, 1));
    cr_assert_not(reads_with(LIVE_WEBSOCKET_TRANSPORT, 3));
    cr_assert_not(reads_with(LIVE_WEBSOCKET_SENT_OFFSET, 1), "of nothing");
    cr_assert_not(reads_with(LIVE_WEBSOCKET_IN_FLIGHT, 1));
    cr_assert_not(reads_with(LIVE_WEBSOCKET_ROLE, LISTENER_ADMIN));
}

Test(live_websocket, text_that_is_none_is_refused)
{
    program_freeze(first);
    struct moved part = program_write(first, 0);
    char error[256];
    size_t len;
    uint8_t *field = find_field(&part, LIVE_WEBSOCKET_USER_AGENT, &len);

    cr_assert_eq(len, 4);
    field[1] = '\0';
    cr_assert_not(program_read(second, 0, &part, error, sizeof error));
    cr_assert_eq(second->tables[0].open_count, 0);
    moved_free(&part);
}

/* What came of a frame's header is read as it came. */
Test(live_websocket, header_that_is_none_is_refused)
{
    peer_send(&peer, bytes_of("\x81\xfe", 2));
    program_await(first, phase_websocket_of(conn)->parser.header_len == 2);
    program_freeze(first);
    struct moved part = program_write(first, 0);
    char error[256];
    size_t len;
    uint8_t *field = find_field(&part, LIVE_WEBSOCKET_FRAME_HEADER, &len);

    cr_assert_eq(len, 2);
    field[0] = 0x85;
    cr_assert_not(program_read(second, 0, &part, error, sizeof error));
    moved_free(&part);
}

Test(live_websocket, record_has_room_for_all_of_a_connection)
{
    begin_message();
    struct moved part = program_write(first, 0);

    cr_assert_leq(part.len, part.size);
    close(part.fds[0]);
    moved_free(&part);
}
