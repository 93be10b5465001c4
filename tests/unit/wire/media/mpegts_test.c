/* Goal: what relaysink reads from a packet is what the packet says, and nothing that is not a
 * packet passes for one. Method: packets made byte by byte, then damaged. */
#include <criterion/criterion.h>
#include <errno.h>

#include "base/attributes.h"
#include "tests/unit/wire/media/mpegts_packets.h"

static struct bytes whole(const uint8_t *packet)
{
    return bytes_of(packet, MPEGTS_PACKET_SIZE);
}

Test(mpegts, parses_header_fields)
{
    uint8_t raw[MPEGTS_PACKET_SIZE];
    struct mpegts_packet packet;

    craft_packet(&(struct craft){.pid = 0x1abc, .filler = 7}, raw);
    raw[1] |= 0x80;
    raw[3] |= 0x0b;
    cr_assert_eq(mpegts_packet_parse(whole(raw), &packet), 0);
    cr_expect_eq(packet.pid, 0x1abc);
    cr_expect(packet.transport_error);
    cr_expect_not(packet.payload_unit_start);
    cr_expect_not(packet.random_access);
    cr_expect_not(packet.has_stuffing);
    cr_expect_eq(packet.continuity_counter, 0x0b);
    cr_expect_eq(packet.payload.len, PACKET_PAYLOAD_MAX);
    cr_expect_eq(packet.payload.data, raw + 4);
}

Test(mpegts, tells_stuffing_from_optional_fields)
{
    static const struct {
        const char *name;
        uint8_t len, flags;
        uint8_t counted_at, counted; /* a length byte at this offset of the field */
        int result;
        bool has_stuffing;
    } cases[] = {
        {"length byte alone", 0, 0, 0, 0, 0, true},
        {"flags alone", 1, 0, 0, 0, 0, false},
        {"flags and a stuffing byte", 2, 0, 0, 0, 0, true},
        {"PCR exactly", 7, 0x10, 0, 0, 0, false},
        {"PCR and stuffing", 8, 0x10, 0, 0, 0, true},
        {"PCR does not fit", 6, 0x10, 0, 0, -EINVAL, false},
        {"PCR, OPCR, splice countdown", 14, 0x1c, 0, 0, 0, false},
        {"private data", 5, 0x02, 1, 3, 0, false},
        {"private data and stuffing", 6, 0x02, 1, 3, 0, true},
        {"private data runs out", 5, 0x02, 1, 4, -EINVAL, false},
        {"private data length missing", 1, 0x02, 0, 0, -EINVAL, false},
        {"extension", 3, 0x01, 1, 1, 0, false},
        {"extension runs out", 3, 0x01, 1, 200, -EINVAL, false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct mpegts_packet packet = {0};
        uint8_t raw[MPEGTS_PACKET_SIZE];

        craft_packet(&(struct craft){.pid = PID_VIDEO}, raw);
        memset(raw + 4, 0xff, sizeof raw - 4);
        raw[3] = 0x30;
        raw[4] = cases[i].len;
        if (cases[i].len > 0) {
            raw[5] = cases[i].flags;
        }
        if (cases[i].counted_at != 0) {
            raw[5 + cases[i].counted_at] = cases[i].counted;
        }
        cr_expect_eq(mpegts_packet_parse(whole(raw), &packet), cases[i].result, "%s",
                     cases[i].name);
        cr_expect_eq(packet.has_stuffing, cases[i].has_stuffing, "%s", cases[i].name);
    }
}

Test(mpegts, refuses_what_is_no_packet_and_leaves_the_result_alone)
{
    static const struct {
        const char *name;
        size_t len;
        uint8_t sync, control, field_len;
    } cases[] = {
        {"empty", 0, 0x47, 0x10, 0},
        {"one byte short", 187, 0x47, 0x10, 0},
        {"one byte long", 189, 0x47, 0x10, 0},
        {"no sync byte", 188, 0x48, 0x10, 0},
        {"neither field nor payload", 188, 0x47, 0x00, 0},
        {"field without payload too short", 188, 0x47, 0x20, 182},
        {"field without payload too long", 188, 0x47, 0x20, 184},
        {"field leaves no payload", 188, 0x47, 0x30, 183},
        {"field beyond the packet", 188, 0x47, 0x30, 255},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct mpegts_packet packet = {.pid = 77};
        uint8_t raw[MPEGTS_PACKET_SIZE + 1] = {0};

        raw[0] = cases[i].sync;
        raw[3] = cases[i].control;
        raw[4] = cases[i].field_len;
        cr_expect_eq(mpegts_packet_parse(bytes_of(raw, cases[i].len), &packet), -EINVAL, "%s",
                     cases[i].name);
        cr_expect_eq(packet.pid, 77, "%s", cases[i].name);
    }
}

Test(mpegts, adaptation_field_only_packet_has_no_payload)
{
    struct mpegts_packet packet;
    uint8_t raw[MPEGTS_PACKET_SIZE] = {MPEGTS_SYNC_BYTE, 0, 0, 0x20, 183, 0x40};

    cr_assert_eq(mpegts_packet_parse(whole(raw), &packet), 0);
    cr_expect_eq(packet.payload.len, 0);
    cr_expect(packet.random_access);
    cr_expect_not(mpegts_packet_starts_video(&packet));
}

Test(mpegts, a_null_packet_starts_nothing_and_has_no_payload)
{
    uint8_t bytes[MPEGTS_PACKET_SIZE] = {0x47, 0x5f, 0xff, 0x15, 0, 0, 1, 0xe0};
    struct mpegts_packet packet;

    cr_assert_eq(mpegts_packet_parse(bytes_of(bytes, sizeof bytes), &packet), 0);
    cr_assert_eq(packet.pid, MPEGTS_PID_NULL);
    cr_assert(!packet.payload_unit_start);
    cr_assert_eq(packet.payload.len, 0);
    cr_assert(!mpegts_packet_starts_video(&packet));
}

Test(mpegts, recognises_the_start_of_a_video_frame_and_its_length)
{
    static const struct {
        const char *name;
        struct craft craft;
        bool starts_video;
        size_t pes_len;
    } cases[] = {
        {"first video stream", {PID_VIDEO, true, 0xe0, 100, false, 0, 0}, true, 106},
        {"last video stream", {PID_VIDEO, true, 0xef, 0xffff, false, 0, 0}, true, 0xffff + 6},
        {"open length", {PID_VIDEO, true, 0xe0, 0, false, 0, 0}, true, 0},
        {"audio", {PID_AUDIO, true, 0xc0, 100, false, 0, 0}, false, 106},
        {"no start", {PID_VIDEO, false, 0, 0, false, 0, 9}, false, 0x0909 + 6},
        {"start code cut", {PID_VIDEO, true, 0xe0, 100, false, 3, 0}, false, 0},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct mpegts_packet packet;
        uint8_t raw[MPEGTS_PACKET_SIZE];

        craft_packet(&cases[i].craft, raw);
        cr_assert_eq(mpegts_packet_parse(whole(raw), &packet), 0);
        cr_expect_eq(mpegts_packet_starts_video(&packet), cases[i].starts_video, "%s",
                     cases[i].name);
        cr_expect_eq(mpegts_packet_pes_len(&packet), cases[i].pes_len, "%s", cases[i].name);
    }
}

Test(mpegts, whole_packets_need_every_sync_byte)
{
    uint8_t raw[3 * MPEGTS_PACKET_SIZE] = {0};

    for (size_t i = 0; i < 3; i++) {
        craft_packet(&(struct craft){.pid = PID_VIDEO}, raw + i * MPEGTS_PACKET_SIZE);
    }
    cr_expect(mpegts_is_whole_packets(bytes_of(raw, sizeof raw)));
    cr_expect_not(mpegts_is_whole_packets(bytes_of(raw, sizeof raw - 1)));
    cr_expect_not(mpegts_is_whole_packets(bytes_of(raw, 0)));
    cr_expect_not(mpegts_is_whole_packets(bytes_of(raw + 1, MPEGTS_PACKET_SIZE)));
    raw[2 * MPEGTS_PACKET_SIZE] = 0;
    cr_expect_not(mpegts_is_whole_packets(bytes_of(raw, sizeof raw)));
}

Test(mpegts, probe_finds_a_stream_joined_inside_a_packet_but_no_text)
{
    uint8_t raw[6 * MPEGTS_PACKET_SIZE];
    char text[MPEGTS_PACKET_SIZE];

    for (size_t i = 0; i < 6; i++) {
        craft_packet(&(struct craft){.pid = PID_VIDEO}, raw + i * MPEGTS_PACKET_SIZE);
    }
    cr_expect(mpegts_probe(bytes_of(raw, sizeof raw)));
    cr_expect(mpegts_probe(bytes_of(raw, 2 * MPEGTS_PACKET_SIZE)));
    cr_expect_not(mpegts_probe(bytes_of(raw, MPEGTS_PACKET_SIZE)));
    cr_expect(mpegts_probe(bytes_of(raw + 100, sizeof raw - 100)));
    cr_expect(mpegts_probe(bytes_of(raw, sizeof raw - 5)));
    cr_expect_not(mpegts_probe(bytes_of(raw, 0)));
    cr_expect_not(mpegts_probe(bytes_of(raw, 150)));
    cr_expect_not(mpegts_probe(bytes_of(raw + 1, MPEGTS_PACKET_SIZE)));
    craft_packet(&(struct craft){.pid = MPEGTS_PID_PAT, .starts_pes = true}, raw);
    cr_expect(mpegts_probe(bytes_of(raw, MPEGTS_PACKET_SIZE)));
    raw[3 * MPEGTS_PACKET_SIZE] = 0;
    cr_expect_not(mpegts_probe(bytes_of(raw, sizeof raw)));

    memset(text, 'G', sizeof text);
    cr_expect_not(mpegts_probe(bytes_of(text, sizeof text)));
    cr_expect_not(mpegts_probe(bytes_of("GPS 1,2", 7)));
}

/* Else one message could keep a thread busy. */
Test(mpegts, probe_is_sure_of_a_stream_after_some_packets)
{
    static uint8_t raw[20 * MPEGTS_PACKET_SIZE + 1];

    for (size_t i = 0; i < 20; i++) {
        craft_packet(&(struct craft){.pid = PID_VIDEO}, raw + 1 + i * MPEGTS_PACKET_SIZE);
    }
    raw[1 + (MPEGTS_PROBE_PACKETS_MAX - 1) * MPEGTS_PACKET_SIZE] = 0;
    cr_expect_not(mpegts_probe(bytes_of(raw, sizeof raw - MPEGTS_PACKET_SIZE * 4)));
    raw[1 + (MPEGTS_PROBE_PACKETS_MAX - 1) * MPEGTS_PACKET_SIZE] = MPEGTS_SYNC_BYTE;
    raw[1 + MPEGTS_PROBE_PACKETS_MAX * MPEGTS_PACKET_SIZE] = 0;
    cr_expect(mpegts_probe(bytes_of(raw, sizeof raw)));
}

/* M2TS has a time stamp of 4 bytes in front of each packet, DVB with error correction 16 behind it.
 */
Test(mpegts, probe_tells_other_sizes_of_packets)
{
    static const struct {
        size_t before, behind;
    } sizes[] = {{4, 0}, {0, 16}, {0, 0}};
    uint8_t raw[6 * (MPEGTS_PACKET_SIZE + 16)];

    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        size_t size = sizes[i].before + MPEGTS_PACKET_SIZE + sizes[i].behind;
        size_t expected = size == MPEGTS_PACKET_SIZE ? 0 : size;

        memset(raw, 0, sizeof raw);
        for (size_t at = 0; at < 6 * size; at += size) {
            craft_packet(&(struct craft){.pid = PID_VIDEO}, raw + at + sizes[i].before);
        }
        cr_expect_eq(mpegts_probe(bytes_of(raw, 6 * size)), expected == 0);
        cr_expect_eq(mpegts_probe_other_size(bytes_of(raw, 6 * size)), expected);
        cr_expect_eq(mpegts_probe_other_size(bytes_of(raw + 100, 5 * size)), expected);
        cr_expect_eq(mpegts_probe_other_size(bytes_of(raw, 2 * size)), 0);
    }
}

/* §2.4.3.7: PTS_DTS_flags, and headers that are not all in the packet. */
Test(mpegts, finds_the_stamps_of_a_picture)
{
    static const struct {
        uint8_t flags;
        unsigned payload_len;
        size_t len;
    } cases[] = {{0xc0, 60, 10}, {0x80, 60, 5}, {0x00, 60, 0}, {0x40, 60, 0},
                 {0xc0, 19, 10}, {0xc0, 18, 0}, {0x80, 14, 5}, {0x80, 8, 0}};
    static const uint8_t stamps[] = {0x3b, 0x45, 0x67, 0x89, 0xab, 0x1b, 0x45, 0x67, 0x89, 0xa9};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        uint8_t raw[MPEGTS_PACKET_SIZE];
        struct mpegts_packet packet;
        struct bytes found;
        uint8_t pes[60];

        craft_packet(
            &(struct craft){PID_VIDEO, true, STREAM_ID_VIDEO, 0, false, cases[i].payload_len, 0},
            raw);
        memcpy(pes, (const uint8_t[]){0, 0, 1, 0xe0, 0, 0, 0x80, cases[i].flags, 10}, 9);
        memcpy(pes + 9, stamps, sizeof stamps);
        memcpy(raw + MPEGTS_PACKET_SIZE - cases[i].payload_len, pes,
               cases[i].payload_len < 19 ? cases[i].payload_len : 19);
        cr_assert_eq(mpegts_packet_parse(bytes_of(raw, sizeof raw), &packet), 0);
        found = mpegts_packet_stamps(&packet);
        cr_expect_eq(found.len, cases[i].len, "%zu", i);
        if (found.len > 0) {
            cr_expect_eq(mpegts_stamps_pts(found), UINT64_C(5) << 30 | 0x45 << 22 |
                                                       (0x67 >> 1) << 15 | 0x89 << 7 | 0xab >> 1);
        }
    }
}
