/* Goal: a transport stream passes from a keyframe on, with its tables in front, however it is cut;
 * everything else passes at once. Method: crafted packets and a clock of the test's. */
#include "host-gst/src/entry_gate.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/wire/media/mpegts_tables.h"

enum { PACKETS = 4, FRAME = PACKETS * MPEGTS_PACKET_SIZE, TABLES = 2 * MPEGTS_PACKET_SIZE };
enum { TYPE_H264 = 0x1b, TYPE_AUDIO = 0x03 };

static struct entry_gate gate;
static uint8_t tables[TABLES];

static void start(void)
{
    entry_gate_begin(&gate, STREAM_UNKNOWN, 0);
    craft_pat(tables);
    craft_pmt(TYPE_H264, PID_VIDEO, tables + MPEGTS_PACKET_SIZE);
}

TestSuite(entry_gate, .init = start);

static void frame_make(uint8_t frame[static FRAME], bool key)
{
    struct craft packet = {
        .pid = PID_VIDEO, .starts_pes = true, .stream_id = STREAM_ID_VIDEO, .random_access = key};

    craft_packet(&packet, frame);
    packet.starts_pes = packet.random_access = false;
    for (unsigned i = 1; i < PACKETS; i++) {
        packet.payload_len = i == PACKETS - 1 ? 30 : 0;
        craft_packet(&packet, frame + i * MPEGTS_PACKET_SIZE);
    }
}

/* Bytes that pass; SIZE_MAX: none do. */
static size_t take_at(const void *data, size_t len, uint64_t now_ms)
{
    struct bytes message = bytes_of(data, len);

    return entry_gate_take(&gate, &message, false, now_ms) ? gate.head_len + message.len : SIZE_MAX;
}

static size_t take_frame(bool key)
{
    uint8_t frame[FRAME];

    frame_make(frame, key);
    return take_at(frame, sizeof frame, 0);
}

/* A keyframe that passes has at least the tables in front. */
static void expect_entry(void)
{
    size_t count = take_frame(true);

    cr_assert_neq(count, SIZE_MAX);
    cr_expect_eq(count % MPEGTS_PACKET_SIZE, 0);
    cr_expect_geq(gate.head_len, TABLES);
    cr_expect_eq(count, gate.head_len + FRAME);
    cr_expect_eq(gate.head[0], MPEGTS_SYNC_BYTE);
    cr_expect_eq((gate.head[1] & 0x1f) << 8 | gate.head[2], MPEGTS_PID_PAT);
}

Test(entry_gate, passes_other_streams_at_once)
{
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff, 0xdb, 0,    3,    7,    0xff,
                                   0xda, 0,    3,    1,    0x11, 0x22, 0xff, 0xd9};

    cr_expect_eq(take_at("data", 4, 0), 4);
    cr_expect_eq(gate.kind, STREAM_DATA);
    entry_gate_close(&gate, 0);
    cr_expect_eq(take_at("more", 4, 0), 4);
    cr_expect_eq(take_at(jpeg, sizeof jpeg, 0), sizeof jpeg);
    cr_expect_eq(gate.kind, STREAM_IMAGE);
    cr_expect_eq(take_at(jpeg, 3, 0), 3, "not a picture, but nothing else either");
    cr_expect_eq(gate.kind, STREAM_IMAGE);
}

Test(entry_gate, calls_text_what_comes_as_text_first)
{
    struct bytes message = bytes_of("text", 4);

    cr_expect(entry_gate_take(&gate, &message, true, 0));
    cr_expect_eq(gate.kind, STREAM_TEXT);
    cr_expect_eq(take_at("data", 4, 0), 4);
    cr_expect_eq(gate.kind, STREAM_TEXT);
}

Test(entry_gate, keeps_a_kind_that_is_given)
{
    entry_gate_begin(&gate, STREAM_DATA, 0);
    cr_expect_eq(take_at(tables, TABLES, 0), TABLES);
    cr_expect_eq(gate.kind, STREAM_DATA);
    entry_gate_begin(&gate, STREAM_MPEGTS, 0);
    cr_expect_eq(take_at("data", 4, 0), SIZE_MAX);
}

Test(entry_gate, opens_with_a_keyframe_behind_its_tables)
{
    cr_expect_eq(take_at(tables, TABLES, 0), SIZE_MAX);
    cr_expect_eq(gate.kind, STREAM_MPEGTS);
    cr_expect_eq(take_frame(false), SIZE_MAX);
    expect_entry();
    cr_expect_eq(take_frame(false), FRAME);
    cr_expect_eq(gate.head_len, 0);
}

Test(entry_gate, opens_again_with_the_next_keyframe_after_a_gap)
{
    cr_expect_eq(take_at(tables, TABLES, 0), SIZE_MAX);
    expect_entry();
    entry_gate_close(&gate, 0);
    cr_expect_eq(take_frame(false), SIZE_MAX);
    expect_entry();
    entry_gate_begin(&gate, STREAM_MPEGTS, 0);
    cr_expect_eq(take_frame(true), SIZE_MAX, "another stream, whose tables have not come");
}

Test(entry_gate, finds_the_keyframe_in_any_pieces)
{
    uint8_t stream[TABLES + 3 * FRAME];

    memcpy(stream, tables, TABLES);
    for (unsigned i = 0; i < 3; i++) {
        frame_make(stream + TABLES + i * FRAME, i == 1);
    }
    for (size_t piece = 600; piece < sizeof stream; piece += 37) {
        size_t passed = 0, head_len = 0;

        entry_gate_begin(&gate, STREAM_MPEGTS, 0);
        for (size_t done = 0; done < sizeof stream; done += piece) {
            size_t len = sizeof stream - done < piece ? sizeof stream - done : piece;
            size_t count = take_at(stream + done, len, 0);

            passed += count == SIZE_MAX ? 0 : count;
            head_len += count == SIZE_MAX ? 0 : gate.head_len;
        }
        cr_expect_geq(head_len, TABLES, "pieces of %zu", piece);
        cr_expect_eq(passed % MPEGTS_PACKET_SIZE, 0, "pieces of %zu: %zu", piece, passed);
        cr_expect_geq(passed, TABLES + 2 * FRAME, "pieces of %zu: %zu", piece, passed);
    }
}

Test(entry_gate, passes_a_stream_without_video)
{
    craft_pmt(TYPE_AUDIO, PID_AUDIO, tables + MPEGTS_PACKET_SIZE);
    cr_expect_eq(take_at(tables, TABLES, 0), TABLES);
}

Test(entry_gate, gives_up_on_a_stream_that_never_shows_a_keyframe)
{
    uint8_t frame[FRAME];

    frame_make(frame, false);
    cr_expect_eq(take_at(frame, FRAME, 0), SIZE_MAX);
    cr_expect_eq(take_at(frame, FRAME, ENTRY_GATE_OPENS_AFTER_MS - 1), SIZE_MAX);
    cr_expect_eq(take_at(frame, FRAME, ENTRY_GATE_OPENS_AFTER_MS), FRAME);
    entry_gate_begin(&gate, STREAM_UNKNOWN, 0);
    cr_expect_eq(take_at(tables, TABLES, 0), SIZE_MAX);
    expect_entry();
    entry_gate_close(&gate, 0);
    cr_expect_eq(take_at(frame, FRAME, 10 * ENTRY_GATE_OPENS_AFTER_MS), SIZE_MAX, "it has some");
}

Test(entry_gate, is_always_open_where_nothing_is_to_be_recovered)
{
    gate.recovers = false;
    cr_expect_eq(take_at(tables, TABLES, 0), TABLES);
    cr_expect_eq(take_frame(false), FRAME);
}
