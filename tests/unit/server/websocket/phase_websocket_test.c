/* Goal: messages reach the topic whole, once and in order, however their frames and bytes come;
 * control frames are answered; each fault and end closes with its code and leaves nothing behind.
 * Method: bytes of peers through a fake kernel (speech.h). */
#include "server/websocket/phase_websocket.h"

#include "server/websocket/publish/message_room.h"
#include "tests/unit/server/websocket/speech.h"
#include "tests/unit/wire/media/mpegts_tables.h"

TestSuite(phase_websocket, .init = open_connections, .fini = service_close);

/* Messages */

Test(phase_websocket, fragmented_message_with_a_ping_in_between_arrives_whole)
{
    for (unsigned round = 0; round < 2; round++) { /* in one piece, then byte by byte */
        add_text(WS_OPCODE_TEXT, "frag");
        add_text(FIN | WS_OPCODE_PING, "still there?");
        add_text(WS_OPCODE_CONTINUATION, "men");
        add_text(FIN | WS_OPCODE_CONTINUATION, "ted");
        say_speech(round == 0 ? RECV_BUFFER_BYTES : 1);
        expect_bytes(sent_by(viewer), "\x81\x0a"
                                      "fragmented");
        expect_bytes(sent_by(conn), "\x8a\x0c"
                                    "still there?"); /* and not its own message */
        cr_assert_eq(stage_counted(messages_received), round + 1);
    }
    cr_assert_eq(stage_counted(bytes_received), 20);
}

Test(phase_websocket, messages_of_one_receive_arrive_in_order)
{
    add_text(FIN | WS_OPCODE_TEXT, "one");
    add_text(FIN | WS_OPCODE_BINARY, "two");
    add_text(FIN | WS_OPCODE_TEXT, "");
    say_speech(RECV_BUFFER_BYTES);
    struct bytes sent = sent_by(viewer);

    cr_assert_eq(sent.len, 12);
    cr_assert_arr_eq(sent.data, "\x81\x03one\x82\x03two\x81\x00", 12);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The largest block that the pool gives for so many bytes. */
#define ROUNDED(bytes) ((bytes) + (bytes) / 4 + sizeof(struct message) + BLOCK_CLASS_BYTES_MIN)

Test(phase_websocket, message_that_is_here_whole_is_moved_once_into_its_exact_room)
{
    static const size_t sizes[] = {0, 1, 125, 126, 4000, 5000, 10000, RECV_BUFFER_BYTES - 8};
    static uint8_t payload[RECV_BUFFER_BYTES];
    struct block_pool *blocks = &stage.worker.blocks;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        add_frame(FIN | WS_OPCODE_BINARY, payload, sizes[i]);
        block_pool_trim(blocks, 0);
        size_t held = blocks->bytes_held;

        say_speech(RECV_BUFFER_BYTES);
        cr_assert_leq(blocks->bytes_held - held, ROUNDED(sizes[i]), "%zu", sizes[i]);
        sent_by(viewer);
    }
}

/* Says all of the speech but its last byte, with which it is published. Each block that the message
 * outgrows was copied once: returns their bytes. */
static size_t copied_on_arrival(void)
{
    const struct message *message = NULL;
    size_t copied = 0, arrived = 0, at = 0;

    while (at < speech.len - 1) {
        size_t len = smaller(speech.len - 1 - at, RECV_BUFFER_BYTES);

        say_in_pieces(conn, bytes_of(speech.bytes + at, len), len);
        const struct message *now = phase_websocket_of(conn)->message;

        cr_assert(now != NULL && now->payload_len > arrived);
        copied += now != message ? arrived : 0;
        message = now;
        arrived = now->payload_len;
        at += len;
    }
    return copied;
}

Test(phase_websocket, bytes_of_a_message_in_several_receives_are_copied_once_more_at_most)
{
    static const size_t sizes[] = {30000, 65536, 100000, 262144, 1 << 20};
    static uint8_t payload[1 << 20];

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        add_frame(FIN | WS_OPCODE_BINARY, payload, sizes[i]);
        size_t copied = copied_on_arrival();

        cr_assert_eq(copied == 0, sizes[i] < (size_t)5 * RECV_BUFFER_BYTES, "%zu", sizes[i]);
        cr_assert_leq(copied, sizes[i], "%zu", sizes[i]);
        say_in_pieces(conn, bytes_of(speech.bytes + speech.len - 1, 1), 1);
        speech.len = 0;
        sent_by(viewer);
    }
}

Test(phase_websocket, fragments_double_their_message_too)
{
    enum { FRAGMENT = 700, FRAGMENTS = 1000 };
    static const uint8_t fragment[FRAGMENT];
    unsigned moves = 0;
    const struct message *message = NULL;

    for (unsigned i = 0; i < FRAGMENTS; i++) {
        add_frame(i == 0 ? WS_OPCODE_BINARY : WS_OPCODE_CONTINUATION, fragment, FRAGMENT);
        say_speech(RECV_BUFFER_BYTES);
        stage_turn();
        moves += phase_websocket_of(conn)->message != message;
        message = phase_websocket_of(conn)->message;
    }
    cr_assert_eq(message->payload_len, FRAGMENT * FRAGMENTS);
    cr_assert_leq(moves, 10);
    say_frame(FIN | WS_OPCODE_CONTINUATION, "end");
    cr_assert_eq(sent_by(viewer).len, 10 + FRAGMENT * FRAGMENTS + 3);
}

Test(phase_websocket, long_message_grows_with_its_bytes_and_arrives_whole)
{
    static uint8_t payload[1 << 20];

    for (size_t i = 0; i < sizeof payload; i++) {
        payload[i] = (uint8_t)(i * 7 + i / 251);
    }
    add_frame(FIN | WS_OPCODE_BINARY, payload, sizeof payload);
    say_in_pieces(conn, bytes_of(speech.bytes, 20), 20);
    size_t arrived = 6; /* after a header of 14 bytes */

    for (size_t at = 20; at < speech.len; at += RECV_BUFFER_BYTES) {
        size_t len = smaller(speech.len - at, RECV_BUFFER_BYTES);
        const struct message *message = phase_websocket_of(conn)->message;

        cr_assert_leq(message->payload_capacity, ROUNDED(4 * arrived + MESSAGE_ROOM_MIN));
        say_in_pieces(conn, bytes_of(speech.bytes + at, len), len);
        arrived += len;
    }
    speech.len = 0;
    struct bytes sent = sent_by(viewer);

    cr_assert_eq(sent.len, 10 + sizeof payload);
    cr_assert_eq(memcmp(sent.data + 10, payload, sizeof payload), 0);
}

/* Receiving in place */

enum { LARGE_BYTES = 200001 };

static uint8_t large[LARGE_BYTES];

/* Says a frame of LARGE_BYTES up to where the rest is received into its message. */
static struct bytes begin_large(unsigned first)
{
    size_t said = 0;

    for (size_t i = 0; i < sizeof large; i++) {
        large[i] = (uint8_t)('a' + (i * 7 + i / 251) % 26);
    }
    add_frame(first, large, sizeof large);
    while (held_checked(held_of(&conn->recv_op))->buffered) {
        say_in_pieces(conn, bytes_of(speech.bytes + said, RECV_BUFFER_BYTES), RECV_BUFFER_BYTES);
        said += RECV_BUFFER_BYTES;
        cr_assert_leq(said, sizeof large / 2, "nothing is received in place");
    }
    struct bytes left = bytes_of(speech.bytes + said, speech.len - said);

    speech.len = 0;
    return left;
}

static void expect_large(struct bytes sent, unsigned first)
{
    cr_assert_eq(sent.len, 10 + sizeof large);
    cr_assert_eq(sent.data[0], first);
    cr_assert_eq(memcmp(sent.data + 10, large, sizeof large), 0);
}

Test(phase_websocket, rest_of_a_large_payload_is_received_into_its_message_and_arrives_whole)
{
    static const size_t pieces[] = {RECV_BUFFER_BYTES, 32768, 1 << 20, 10001};

    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct bytes left = begin_large(FIN | WS_OPCODE_TEXT);

        while (left.len > 0) {
            const struct held *held = held_checked(held_of(&conn->recv_op));
            const struct message *message = phase_websocket_of(conn)->message;
            size_t len = smaller(left.len, smaller(pieces[i], held->len));

            cr_assert(held->buffered || held->memory == message->payload + message->payload_len);
            cr_assert(held->buffered || held->len <= 65536, "others have their turn");
            len = held->buffered ? smaller(len, RECV_BUFFER_BYTES) : len;
            say_in_pieces(conn, bytes_of(left.data, len), len);
            left = bytes_skip(left, len);
        }
        expect_large(sent_by(viewer), 0x81);
    }
}

Test(phase_websocket, text_that_is_received_in_place_is_checked)
{
    struct bytes left = begin_large(FIN | WS_OPCODE_TEXT);

    ((uint8_t *)(uintptr_t)left.data)[1000] ^= 0x80;
    say_in_pieces(conn, bytes_of(left.data, 32768), 32768);
    cr_assert_eq(sent_by(conn).data[0], 0x88);
    cr_assert_eq(sent_by(viewer).len, 0);
}

/* The message must live until the kernel no longer writes to it. */
Test(phase_websocket, connection_that_ends_while_bytes_are_received_in_place_leaves_nothing)
{
    begin_large(FIN | WS_OPCODE_BINARY);
    struct held *held = held_checked(held_of(&conn->recv_op));

    conn_close_now(conn, CLOSE_DENIED);
    kernel_take();
    memset(held->memory, 'x', held->len);
    kernel_complete(held, 4000, 0); /* the cancel came too late */
    cr_assert_eq(sent_by(viewer).len, 0);
}

Test(phase_websocket, goodbye_while_bytes_are_received_in_place_waits_for_the_close_behind_them)
{
    struct bytes left = begin_large(FIN | WS_OPCODE_BINARY);

    conn_end(conn, CLOSE_DENIED);
    cr_assert_eq(sent_by(conn).data[0], 0x88);
    cr_assert_eq(conn->phase, PHASE_CLOSING);
    for (; left.len > 0; kernel_take()) {
        size_t len = smaller(left.len, RECV_BUFFER_BYTES);

        kernel_receive(held_checked(held_of(&conn->recv_op)), bytes_of(left.data, len));
        left = bytes_skip(left, len);
    }
    cr_assert_not(conn->close_submitted);
    add_frame(FIN | WS_OPCODE_CLOSE, "\x03\xe8", 2);
    kernel_receive(held_checked(held_of(&conn->recv_op)), bytes_of(speech.bytes, speech.len));
    cr_assert(conn->close_submitted);
    cr_assert_eq(sent_by(viewer).len, 0);
}

Test(phase_websocket, text_that_is_not_utf_8_is_not_published)
{
    add_text(WS_OPCODE_TEXT, "\xc3");
    add_text(FIN | WS_OPCODE_CONTINUATION, "\xa9"); /* one character in two frames is well */
    say_speech(RECV_BUFFER_BYTES);
    expect_bytes(sent_by(viewer), "\x81\x02\xc3\xa9");
    say_frame(FIN | WS_OPCODE_BINARY, "\xff");
    expect_bytes(sent_by(viewer), "\x82\x01\xff");
    say_frame(FIN | WS_OPCODE_TEXT, "no\xff");
    cr_assert_eq(sent_by(viewer).len, 0);
    expect_close(conn, WS_CLOSE_INVALID_TEXT, "invalid utf8 in text message");
    cr_assert_eq(stage_counted(closed_invalid_text), 1);
}

Test(phase_websocket, text_that_ends_in_the_middle_of_a_character_is_refused)
{
    say_frame(FIN | WS_OPCODE_TEXT, "half \xc3");
    expect_close(conn, WS_CLOSE_INVALID_TEXT, "invalid utf8 in text message");
    cr_assert_eq(sent_by(viewer).len, 0);
}

Test(phase_websocket, text_is_not_checked_where_the_operator_does_not_want_it)
{
    stage.config.text_utf8 = CONFIG_TEXT_UTF8_PASS;
    say_frame(FIN | WS_OPCODE_TEXT, "no\xff");
    expect_bytes(sent_by(viewer), "\x81\x03no\xff");
}

Test(phase_websocket, message_that_is_announced_too_big_is_refused_before_its_bytes)
{
    add_header(FIN | WS_OPCODE_BINARY, MESSAGE_BYTES_MAX + 1);
    say_speech(RECV_BUFFER_BYTES);
    expect_close(conn, WS_CLOSE_TOO_BIG, "");
    cr_assert_eq(stage_counted(closed_too_big), 1);
}

Test(phase_websocket, fragments_count_together)
{
    add_text(WS_OPCODE_BINARY, "x");
    add_header(FIN | WS_OPCODE_CONTINUATION, MESSAGE_BYTES_MAX);
    say_speech(RECV_BUFFER_BYTES);
    expect_close(conn, WS_CLOSE_TOO_BIG, "");
}

Test(phase_websocket, message_of_a_reader_is_thrown_away_and_counted)
{
    struct conn *writer = conn;

    conn = viewer;
    say_frame(FIN | WS_OPCODE_TEXT, "let me speak");
    say_frame(FIN | WS_OPCODE_PING, "and answer");
    cr_assert_eq(sent_by(writer).len, 0);
    expect_bytes(sent_by(viewer), "\x8a\x0a"
                                  "and answer");
    cr_assert_eq(stage_counted(messages_discarded_readonly), 1);
    cr_assert_eq(viewer->phase, PHASE_WEBSOCKET);
}

Test(phase_websocket, message_without_memory_is_lost_and_the_next_one_arrives)
{
    static const char big[100000];
    struct block_pool *blocks = &stage.worker.blocks;

    add_frame(WS_OPCODE_BINARY, big, sizeof big);
    add_text(FIN | WS_OPCODE_CONTINUATION, "the rest");
    add_text(FIN | WS_OPCODE_TEXT, "small");
    block_pool_trim(blocks, 0);
    blocks->bytes_max = blocks->bytes_held + STAGE_RESERVE + 32768;
    say_speech(RECV_BUFFER_BYTES);
    expect_bytes(sent_by(viewer), "\x81\x05small");
    cr_assert_eq(stage_counted(messages_dropped_memory), 1);
    cr_assert_eq(stage_counted(messages_received), 2);
}

Test(phase_websocket, message_that_outgrows_the_memory_returns_its_part_at_once)
{
    static const char big[1 << 20];
    struct block_pool *blocks = &stage.worker.blocks;
    size_t used = blocks->blocks_used;

    add_frame(FIN | WS_OPCODE_BINARY, big, sizeof big);
    block_pool_trim(blocks, 0);
    blocks->bytes_max = blocks->bytes_held + STAGE_RESERVE + 500000;
    say_in_pieces(conn, bytes_of(speech.bytes, 100000), RECV_BUFFER_BYTES);
    cr_assert_eq(blocks->blocks_used, used + 1);
    say_in_pieces(conn, bytes_of(speech.bytes + 100000, speech.len - 100000), RECV_BUFFER_BYTES);
    cr_assert_eq(blocks->blocks_used, used);
    cr_assert_eq(stage_counted(messages_dropped_share) + stage_counted(messages_dropped_memory), 1);
    cr_assert_eq(stage_counted(messages_received), 1);
}

/* Tables and a key picture: three packets. */
static void say_key_picture(void)
{
    static const uint8_t picture[] = {0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 1, 0, 0, 1, 0x65, 0x88};
    uint8_t packets[3 * MPEGTS_PACKET_SIZE];

    craft_pat(packets);
    craft_pmt(0x1b, PID_VIDEO, packets + MPEGTS_PACKET_SIZE);
    craft_picture(picture, sizeof picture, true, packets + 2 * MPEGTS_PACKET_SIZE);
    add_frame(FIN | WS_OPCODE_BINARY, packets, sizeof packets);
    say_speech(RECV_BUFFER_BYTES);
}

Test(phase_websocket, viewer_that_joins_begins_with_the_newest_key_picture)
{
    stage.topics.cache_bounds =
        (struct stream_cache_bounds){.bytes_max = 1 << 20, .time_ms_max = 10000};
    say_key_picture();
    say_frame(FIN | WS_OPCODE_TEXT, "text");
    cr_assert_eq(sent_by(viewer).len, 4 + 3 * MPEGTS_PACKET_SIZE + 6);
    char code[CODE_SIZE];
    struct conn *late = stage_connect(LISTENER_RELAY);

    make_code("t0", true, false, code);
    ask_for_websocket(late, "t0", code);
    struct bytes sent = sent_by(late);
    const uint8_t *frame = memmem(sent.data, sent.len, "\r\n\r\n", 4);

    cr_assert(bytes_start_with(sent, "HTTP/1.1 101 "));
    cr_assert_not_null(frame);
    cr_assert_gt(sent.data + sent.len - frame, 4 + 4 + 3 * MPEGTS_PACKET_SIZE,
                 "tables, counters, picture");
    cr_assert_eq(frame[4], FIN | WS_OPCODE_BINARY);
    cr_assert_eq(frame[8], MPEGTS_SYNC_BYTE);
    cr_assert_null(memmem(sent.data, sent.len, "text", 4), "data is not repeated");
    say_frame(FIN | WS_OPCODE_TEXT, "live");
    expect_bytes(sent_by(late), "\x81\x04live");
    cr_assert_eq(stage_counted(joins_from_cache), 1);
}

Test(phase_websocket, what_is_kept_for_viewers_gives_way_to_live_messages)
{
    static uint8_t big[1600 * MPEGTS_PACKET_SIZE];
    struct block_pool *blocks = &stage.worker.blocks;

    for (size_t i = 0; i < sizeof big; i += MPEGTS_PACKET_SIZE) {
        memcpy(big + i, "\x47\x1f\xff\x10", 4); /* null packets */
    }
    stage.topics.cache_bounds =
        (struct stream_cache_bounds){.bytes_max = 1 << 20, .time_ms_max = 10000};
    say_key_picture();
    add_frame(FIN | WS_OPCODE_BINARY, big, sizeof big);
    say_speech(RECV_BUFFER_BYTES);
    cr_assert_gt(sent_by(viewer).len, sizeof big);
    block_pool_trim(blocks, 0);
    blocks->bytes_max = blocks->bytes_held + STAGE_RESERVE + 400000;
    add_frame(FIN | WS_OPCODE_BINARY, big, sizeof big);
    say_speech(RECV_BUFFER_BYTES);
    cr_assert_eq(stage_counted(messages_dropped_share), 0);
    cr_assert_eq(stage_counted(messages_dropped_memory), 0);
    cr_assert_eq(stage_counted(cache_cut), 1);
    cr_assert_gt(sent_by(viewer).len, sizeof big);
}

Test(phase_websocket, topic_beyond_its_share_loses_its_own_message_and_others_go_on)
{
    static const uint8_t big[300000];
    struct block_pool *blocks = &stage.worker.blocks;
    struct conn *other_viewer = join("other", true, false), *other = join("other", true, true);

    block_pool_trim(blocks, 0);
    blocks->bytes_max = blocks->bytes_held + STAGE_RESERVE + 900000;
    add_frame(WS_OPCODE_BINARY, big, sizeof big);
    say_speech(RECV_BUFFER_BYTES); /* it doubles its 330 kB, which are its share, with the next */
    cr_assert_eq(stage_counted(messages_dropped_share), 0);
    add_frame(WS_OPCODE_CONTINUATION, big, sizeof big);
    say_speech(RECV_BUFFER_BYTES);
    cr_assert_eq(stage_counted(messages_dropped_share), 1);
    cr_assert_eq(conn->phase, PHASE_WEBSOCKET);
    say_frame(FIN | WS_OPCODE_CONTINUATION, "end");
    cr_assert_eq(sent_by(viewer).len, 0);
    conn = other;
    say_frame(FIN | WS_OPCODE_TEXT, "small");
    expect_bytes(sent_by(other_viewer), "\x81\x05small");
    cr_assert_eq(stage_counted(messages_dropped_memory), 0);
}

Test(phase_websocket, command_on_the_stats_topic_is_handed_up)
{
    stage_close_connections();
    conn = join(STATS_TOPIC, true, true);
    say_frame(FIN | WS_OPCODE_TEXT, "{\"cmd\":\"update\"}");
    expect_heard("command: {\"cmd\":\"update\"} ");
}

/* Faults and control frames */

Test(phase_websocket, frame_against_the_protocol_closes_with_its_reason)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *text;
    } cases[] = {
        {"\x81\x05hello", 7, "bad MASK"},
        {"\x83\x80\0\0\0\0", 6, "bad opcode 3"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        say(conn, bytes_of(cases[i].bytes, cases[i].len));
        expect_close(conn, WS_CLOSE_PROTOCOL_ERROR, cases[i].text);
        cr_assert_eq(stage_counted(closed_protocol_error), i + 1);
        stage_close_connections();
        conn = join("t0", true, true);
    }
}

Test(phase_websocket, nothing_behind_a_fault_is_published)
{
    add_text(0x83, "");
    add_text(FIN | WS_OPCODE_TEXT, "too late");
    say_speech(RECV_BUFFER_BYTES);
    cr_assert_eq(sent_by(viewer).len, 0);
}

Test(phase_websocket, close_of_the_peer_is_answered_with_its_code)
{
    add_frame(FIN | WS_OPCODE_CLOSE, "\x0f\xa0goodbye", 9);
    say_speech(1);
    expect_close(conn, 4000, "");
    cr_assert_eq(conn->close_reason, CLOSE_BY_PEER);
}

Test(phase_websocket, nothing_behind_a_close_is_published)
{
    add_frame(FIN | WS_OPCODE_CLOSE, "\x03\xe8", 2);
    add_text(FIN | WS_OPCODE_TEXT, "too late");
    add_text(FIN | WS_OPCODE_PING, "too late");
    say_speech(RECV_BUFFER_BYTES);
    expect_close(conn, WS_CLOSE_NORMAL, "");
    cr_assert_eq(sent_by(viewer).len, 0);
    cr_assert_eq(stage_counted(messages_received), 0);
}

Test(phase_websocket, close_in_the_middle_of_a_message_frees_what_came_of_it)
{
    add_text(WS_OPCODE_TEXT, "never completed");
    add_frame(FIN | WS_OPCODE_CLOSE, "\x03\xe8", 2);
    say_speech(3);
    expect_close(conn, WS_CLOSE_NORMAL, "");
    cr_assert_eq(sent_by(viewer).len, 0);
    stage_close_connections();
    cr_assert_eq(stage.worker.blocks.blocks_used, 0);
}

Test(phase_websocket, close_against_the_protocol_is_a_fault)
{
    add_frame(FIN | WS_OPCODE_CLOSE, "\x03\xed", 2); /* 1005 is never on the wire */
    say_speech(RECV_BUFFER_BYTES);
    expect_close(conn, WS_CLOSE_PROTOCOL_ERROR, "bad close code 1005");
}

Test(phase_websocket, of_a_flood_of_pings_the_last_is_answered)
{
    for (unsigned i = 0; i < 40; i++) {
        add_frame(FIN | WS_OPCODE_PING, &(uint8_t){(uint8_t)i}, 1);
    }
    say_speech(RECV_BUFFER_BYTES);
    struct bytes sent = sent_by(conn);

    cr_assert_eq(sent.len, 3 * ANSWERS_QUEUED_MAX);
    cr_assert_eq(sent.data[sent.len - 1], 39);
    cr_assert_eq(stage_counted(pongs_skipped), 40 - ANSWERS_QUEUED_MAX);
}

/* Ends */

Test(phase_websocket, peer_that_ends_without_a_close_is_closed_at_once)
{
    say_end(conn);
    cr_assert_eq(conn->close_reason, CLOSE_BY_PEER);
    cr_assert(conn->close_submitted);
}

Test(phase_websocket, connection_that_left_gets_nothing_and_frees_all_it_had)
{
    add_text(WS_OPCODE_TEXT, "never completed");
    say_speech(RECV_BUFFER_BYTES);
    conn_close_now(conn, CLOSE_DRAIN);
    cr_assert(list_empty(&conn->booking_node));
    cr_assert_not(conn->liveness.armed || conn->expiry.armed);
    kernel_finish_close();
    cr_assert_eq(topic_registry_count(&stage.topics), 2); /* the viewer's, and that of reports */
    conn_close_now(viewer, CLOSE_DRAIN);
    kernel_finish_close();
    cr_assert_eq(topic_registry_count(&stage.topics), 1);
    cr_assert_eq(stage.worker.blocks.blocks_used, 0);
}

Test(phase_websocket, slow_viewer_that_takes_nothing_is_closed)
{
    say_frame(FIN | WS_OPCODE_TEXT, "hello");
    stage_turn();
    stage_pass_ms(STAGE_WRITE_TIMEOUT_MS - 200);
    cr_assert_eq(viewer->phase, PHASE_WEBSOCKET);
    stage_pass_ms(2600);
    cr_assert_eq(viewer->close_reason, CLOSE_SEND_STALLED);
    cr_assert_eq(stage_counted(closed_send_stalled), 1);
}

/* Floods */

static void add_messages(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        add_frame(FIN | WS_OPCODE_BINARY, "x", 1);
    }
}

static unsigned published(void)
{
    return (unsigned)stage_counted(messages_received);
}

Test(phase_websocket, burst_is_published_at_once)
{
    add_messages(2000);
    say_speech(RECV_BUFFER_BYTES);
    cr_assert_eq(published(), 2000);
    cr_assert_eq(stage_counted(publishers_paced), 0);
}

Test(phase_websocket, flood_waits_for_turns_and_is_not_received_meanwhile)
{
    add_messages(2000);
    say(conn, bytes_of(speech.bytes, speech.len));
    phase_websocket_of(conn)->pace.credit = 10;
    kernel_receive(held_of(&conn->recv_op), bytes_of(speech.bytes, speech.len));
    speech.len = 0;
    kernel_take();
    cr_assert_eq(published(), 2000 + 10);
    cr_assert_eq(stage_counted(publishers_paced), 1);
    cr_assert_null(held_of(&conn->recv_op));
    cr_assert(!inbox_is_empty(&phase_websocket_of(conn)->inbox));
    for (unsigned turns = 0; published() < 4000; turns++) {
        unsigned before = published();

        cr_assert_lt(turns, 100000);
        engine_on_work(&stage.table);
        cr_assert_gt(published(), before); /* at least a slice, whatever the clock says */
    }
    engine_on_turn_end(&stage.table);
    kernel_take();
    cr_assert_not_null(held_of(&conn->recv_op));
}

Test(phase_websocket, bursts_of_a_turn_are_bounded_together)
{
    stage.table.burst_spent = PACE_TURN_BURST - 100; /* of others */
    add_messages(1000);
    kernel_receive(held_of(&conn->recv_op), bytes_of(speech.bytes, speech.len));
    cr_assert_eq(published(), PACE_SLICE + 100);
    cr_assert_eq(stage.table.burst_spent, PACE_TURN_BURST);
    for (unsigned turns = 0; published() < 1000; turns++) {
        cr_assert_lt(turns, 1000);
        engine_on_work(&stage.table);
    }
    engine_on_turn_end(&stage.table);
    kernel_take();
    speech.len = 0;
    add_messages(1000);
    kernel_receive(held_of(&conn->recv_op), bytes_of(speech.bytes, speech.len));
    cr_assert_eq(published(), 2000); /* the next turn has a budget of its own */
}

/* Messages need the memory more, and no byte is lost. */
Test(phase_websocket, flood_without_memory_to_wait_in_is_published_at_once)
{
    phase_websocket_of(conn)->pace.credit = 1;
    stage.worker.blocks.bytes_reserved = 0;
    stage.worker.blocks.bytes_max = stage.worker.blocks.bytes_held + 32 * 1024;
    void *others = block_pool_take(&stage.worker.blocks, 16 * 1024);

    cr_assert_not_null(others);
    add_messages(100);
    kernel_receive(held_of(&conn->recv_op), bytes_of(speech.bytes, speech.len));
    cr_assert_eq(published(), 100);
    cr_assert_eq(stage_counted(publishers_paced), 0);
    block_pool_put(&stage.worker.blocks, others);
    speech.len = 0;
}

Test(phase_websocket, flood_that_ends_is_published_before_its_end)
{
    phase_websocket_of(conn)->pace.credit = 1;
    add_messages(100);
    add_frame(FIN | WS_OPCODE_CLOSE, "\x03\xe8", 2);
    kernel_receive(held_of(&conn->recv_op), bytes_of(speech.bytes, speech.len));
    cr_assert_eq(published(), 1);
    for (unsigned turns = 0; conn->phase == PHASE_WEBSOCKET; turns++) {
        cr_assert_lt(turns, 100);
        engine_on_work(&stage.table);
    }
    kernel_take();
    cr_assert_eq(published(), 100);
    expect_close(conn, 1000, "");
    cr_assert_not_null(held_of(&conn->recv_op)); /* what still comes is read */
}

Test(phase_websocket, flood_that_is_closed_leaves_nothing)
{
    phase_websocket_of(conn)->pace.credit = 1;
    add_messages(100);
    kernel_receive(held_of(&conn->recv_op), bytes_of(speech.bytes, speech.len));
    conn_end(conn, CLOSE_DENIED);
    cr_assert(list_empty(&stage.table.paced));
    cr_assert(unfinished_has(conn)); /* it makes room for others while it closes */
    kernel_take();
    cr_assert_not_null(held_of(&conn->recv_op));
}

/* Other workers that are behind */

static struct underway *underway(void)
{
    return &phase_websocket_of(conn)->topic->parts[0].underway;
}

static void take_room_away(void)
{
    underway()->messages = UNDERWAY_MESSAGES_MAX;
}

/* As when parcels come home. */
static void give_room(void)
{
    underway()->messages = 0;
    list_remove(&conn->subscriber.room_node);
    conn->subscriber.on_room(&conn->subscriber);
}

static void receive_speech(struct conn *speaker)
{
    kernel_receive(held_of(&speaker->recv_op), bytes_of(speech.bytes, speech.len));
    speech.len = 0;
    engine_on_turn_end(&stage.table);
    kernel_take();
}

Test(phase_websocket, publisher_waits_while_too_much_is_on_its_way_to_others)
{
    take_room_away();
    add_messages(3);
    receive_speech(conn);
    cr_assert_eq(published(), 0);
    cr_assert_eq(stage_counted(publishers_held), 1);
    cr_assert_null(held_of(&conn->recv_op));
    cr_assert(!stage.worker.work_waits, "it would spin");
    give_room();
    stage_turn();
    cr_assert_eq(published(), 3);
    cr_assert_not_null(held_of(&conn->recv_op));
    cr_assert_eq(stage_counted(publishers_paced), 0);
}

Test(phase_websocket, room_that_is_used_up_in_a_turn_ends_it)
{
    phase_websocket_of(conn)->pace.credit = 1;
    add_messages(2);
    receive_speech(conn);
    cr_assert_eq(published(), 1);
    take_room_away();
    stage_turn();
    cr_assert_eq(published(), 1);
    cr_assert_eq(stage_counted(publishers_held), 1);
    give_room();
    stage_turn();
    cr_assert_eq(published(), 2);
}

Test(phase_websocket, without_room_bytes_are_kept_however_little_memory_is_left)
{
    take_room_away();
    stage.worker.blocks.bytes_reserved = 0;
    stage.worker.blocks.bytes_max = stage.worker.blocks.bytes_held + 32 * 1024;
    void *others = block_pool_take(&stage.worker.blocks, 16 * 1024);

    cr_assert_not_null(others);
    add_messages(100);
    receive_speech(conn);
    cr_assert_eq(published(), 0);
    block_pool_put(&stage.worker.blocks, others);
    give_room();
    stage_turn();
    stage_turn();
    cr_assert_eq(published(), 100);
}

Test(phase_websocket, viewer_needs_no_room)
{
    take_room_away();
    add_text(FIN | WS_OPCODE_PING, "hello?");
    receive_speech(viewer);
    expect_bytes(sent_by(viewer), "\x8a\x06hello?");
    underway()->messages = 0;
}

Test(phase_websocket, publisher_that_leaves_waits_no_longer)
{
    take_room_away();
    add_messages(3);
    receive_speech(conn);
    cr_assert(!list_empty(&underway()->waiting));
    struct underway *of_topic = underway();

    conn_end(conn, CLOSE_DENIED);
    cr_assert(list_empty(&of_topic->waiting));
    of_topic->messages = 0;
}

/* RELAY_PUBLISH_RATE */

Test(phase_websocket, publisher_above_its_rate_is_closed_after_what_it_may_send)
{
    static const struct publish_rate rate = {.messages_per_s = 10, .burst_ms = 1000};

    stage.shared.publish_rate = &rate;
    add_messages(10);
    say_speech(RECV_BUFFER_BYTES);
    cr_assert_eq(sent_by(viewer).len, 30);
    stage_pass_ms(100);
    add_messages(2);
    add_text(FIN | WS_OPCODE_PING, "ping");
    say_speech(RECV_BUFFER_BYTES);
    cr_assert_eq(sent_by(viewer).len, 3);
    expect_close(conn, 1008, "published faster than this relay allows");
    cr_assert_eq(conn->close_reason, CLOSE_TOO_FAST);
    cr_assert_eq(stage_counted(closed_too_fast), 1);
    cr_assert_eq(stage.worker.alarms.limits[ALARM_PUBLISH_RATE].lines, 1);
}

Test(phase_websocket, rate_counts_payload_and_whole_messages)
{
    static const struct publish_rate rate = {
        .bytes_per_s = 10, .messages_per_s = 2, .burst_ms = 1000};

    stage.shared.publish_rate = &rate;
    add_text(WS_OPCODE_TEXT, "12");
    add_text(FIN | WS_OPCODE_PING, "ping");
    add_text(FIN | WS_OPCODE_CONTINUATION, "345");
    add_text(FIN | WS_OPCODE_TEXT, "6789");
    say_speech(RECV_BUFFER_BYTES);
    cr_assert_eq(conn->phase, PHASE_WEBSOCKET);
    stage_pass_ms(500);
    say_frame(FIN | WS_OPCODE_TEXT, "larger than what is left");
    cr_assert_eq(conn->phase, PHASE_WEBSOCKET);
    stage_pass_ms(500);
    say_frame(FIN | WS_OPCODE_TEXT, "");
    cr_assert_eq(conn->close_reason, CLOSE_TOO_FAST);
}

Test(phase_websocket, rate_is_no_matter_of_those_that_may_not_publish)
{
    static const struct publish_rate rate = {.messages_per_s = 1, .burst_ms = 1000};

    stage.shared.publish_rate = &rate;
    add_messages(5);
    say_in_pieces(viewer, bytes_of(speech.bytes, speech.len), RECV_BUFFER_BYTES);
    speech.len = 0;
    cr_assert_eq(viewer->phase, PHASE_WEBSOCKET);
    cr_assert_eq(stage_counted(messages_discarded_readonly), 5);
}
