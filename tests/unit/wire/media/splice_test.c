/* Goal: a reader that begins with a splice knows tables and counters. Method: crafted streams, and
 * the written packets read again. */
#include <criterion/criterion.h>

#include "tests/unit/wire/media/mpegts_tables.h"
#include "wire/media/splice.h"

struct stream {
    struct mpegts_program program;
    struct mpegts_pids pids;
};

static void take(struct stream *stream, const uint8_t *raw)
{
    struct mpegts_findings findings = {0};
    struct mpegts_packet packet;

    cr_assert_eq(mpegts_packet_parse(bytes_of(raw, MPEGTS_PACKET_SIZE), &packet), 0);
    mpegts_program_take(&stream->program, &packet, &findings);
    mpegts_pids_take(&stream->pids, &packet);
}

static void init(struct stream *stream)
{
    mpegts_program_init(&stream->program);
    mpegts_pids_init(&stream->pids);
}

/* A stream with these counters: PAT, PMT, video. */
static void begin(struct stream *stream, uint8_t pat, uint8_t pmt, uint8_t video)
{
    uint8_t raw[MPEGTS_PACKET_SIZE];

    init(stream);
    craft_pat(raw);
    raw[3] |= pat;
    take(stream, raw);
    craft_pmt(0x1b, PID_VIDEO, raw);
    raw[3] |= pmt;
    take(stream, raw);
    craft_packet(&(struct craft){PID_VIDEO, true, STREAM_ID_VIDEO, 0, true, 0, 0xaa}, raw);
    raw[3] |= video;
    take(stream, raw);
}

static size_t write(const struct stream *stream, uint8_t *out)
{
    struct splice_point point = splice_point_before(&stream->pids, NULL);

    return splice_write(&point, &stream->program, out);
}

Test(splice, is_five_packets_for_one_program_with_video)
{
    static const struct {
        uint16_t pid;
        uint8_t counter;
        bool has_payload;
    } expected[] = {
        {0, 15, false},     {0, 0, true},          {PID_PMT, 6, false},
        {PID_PMT, 7, true}, {PID_VIDEO, 9, false},
    };
    uint8_t out[SPLICE_SIZE_MAX];
    struct stream stream;

    begin(&stream, 0, 7, 9);
    cr_assert_eq(write(&stream, out), sizeof expected / sizeof *expected * MPEGTS_PACKET_SIZE);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct mpegts_packet packet;

        cr_assert_eq(mpegts_packet_parse(bytes_of(out + i * MPEGTS_PACKET_SIZE, MPEGTS_PACKET_SIZE),
                                         &packet),
                     0);
        cr_expect_eq(packet.pid, expected[i].pid, "%zu", i);
        cr_expect_eq(packet.continuity_counter, expected[i].counter, "%zu", i);
        cr_expect_eq(packet.payload.len > 0, expected[i].has_payload, "%zu", i);
        cr_expect_eq(packet.discontinuity, !expected[i].has_payload, "%zu", i);
        cr_expect_eq(packet.payload_unit_start, expected[i].has_payload, "%zu", i);
    }
}

Test(splice, teaches_a_new_reader_tables_and_counters)
{
    uint8_t out[SPLICE_SIZE_MAX];
    struct stream stream, reader;
    size_t len;

    begin(&stream, 4, 15, 11);
    len = write(&stream, out);
    init(&reader);
    for (size_t at = 0; at < len; at += MPEGTS_PACKET_SIZE) {
        take(&reader, out + at);
    }
    cr_expect_eq(reader.program.video_pid, PID_VIDEO);
    cr_expect_eq(reader.program.codec, VIDEO_CODEC_H264);
    cr_expect_eq(reader.pids.count, 3);
    cr_expect_eq(mpegts_pids_find(&reader.pids, MPEGTS_PID_PAT)->counter, 4);
    cr_expect_eq(mpegts_pids_find(&reader.pids, PID_PMT)->counter, 15);
    cr_expect_eq(mpegts_pids_find(&reader.pids, PID_VIDEO)->counter, 11);
}

/* Long descriptors: a PMT of three packets, and one that is too long to be kept. */
Test(splice, has_tables_of_up_to_three_packets)
{
    static const size_t lens[] = {500, 600};
    const uint8_t fixed[] = {0xe1, 0, 0xf0, 0};
    uint8_t out[SPLICE_SIZE_MAX];

    for (size_t i = 0; i < 2; i++) {
        uint8_t entries[600] = {0x1b, 0xe1, 0, (uint8_t)(0xf0 | (lens[i] - 5) >> 8),
                                (uint8_t)(lens[i] - 5)};
        uint8_t section[700], raw[MPEGTS_PACKET_SIZE];
        struct stream stream, reader;
        size_t len = craft_section(2, fixed, sizeof fixed, entries, lens[i], section);

        init(&stream);
        craft_pat(raw);
        take(&stream, raw);
        for (size_t at = 0, counter = 0; at < len; counter++) {
            at = craft_section_packet(PID_PMT, section, len, at, raw);
            raw[3] |= counter;
            take(&stream, raw);
        }
        cr_assert_eq(stream.program.map_table.len, i == 0 ? len : 0);
        if (i > 0) {
            continue;
        }
        init(&reader);
        len = write(&stream, out);
        cr_expect_eq(len, 6 * MPEGTS_PACKET_SIZE);
        for (size_t at = 0; at < len; at += MPEGTS_PACKET_SIZE) {
            take(&reader, out + at);
        }
        cr_expect_eq(reader.program.video_pid, PID_VIDEO);
        cr_expect_eq(mpegts_pids_find(&reader.pids, PID_PMT)->counter, 2);
    }
}

Test(splice, a_gap_is_one_packet_for_each_pid)
{
    uint8_t out[SPLICE_GAP_SIZE_MAX];
    struct stream stream;
    struct splice_point point;

    begin(&stream, 4, 5, 6);
    point = splice_point_before(&stream.pids, NULL);
    cr_assert_eq(splice_write_gap(&point, out), 3 * MPEGTS_PACKET_SIZE);
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(out[i * MPEGTS_PACKET_SIZE + 3], 0x24 + i, "no payload, counter %zu", 4 + i);
        cr_expect_eq(out[i * MPEGTS_PACKET_SIZE + 5], 0x80, "discontinuity_indicator");
    }
}

/* H.265: the decoder is told that what came before is over, in a PES of its own. */
Test(splice, ends_a_sequence_with_the_stamps_of_the_next_picture)
{
    static const uint8_t stamps[] = {0x31, 2, 5, 6, 9, 0x11, 2, 5, 6, 7};
    static const size_t lens[] = {0, 5, 10};
    uint8_t out[SPLICE_SIZE_MAX];

    for (size_t i = 0; i < 3; i++) {
        struct stream stream;
        struct splice_point point;
        struct mpegts_packet packet;
        const uint8_t *gap = out + 4 * MPEGTS_PACKET_SIZE, *end = gap + MPEGTS_PACKET_SIZE;

        begin(&stream, 0, 0, 0);
        point = splice_point_before(&stream.pids, NULL);
        point.ended_pid = PID_VIDEO;
        point.stamps_len = (uint8_t)lens[i];
        memcpy(point.stamps, stamps, lens[i]);
        cr_assert_eq(splice_write(&point, &stream.program, out), 6 * MPEGTS_PACKET_SIZE);
        cr_expect_eq(gap[3], 0x2f, "the counter before");
        cr_assert_eq(mpegts_packet_parse(bytes_of(end, MPEGTS_PACKET_SIZE), &packet), 0);
        cr_expect_eq(packet.pid, PID_VIDEO);
        cr_expect_eq(packet.continuity_counter, 0);
        cr_expect(mpegts_packet_starts_video(&packet));
        cr_expect_eq(mpegts_packet_pes_len(&packet), packet.payload.len);
        cr_expect(bytes_equal(mpegts_packet_stamps(&packet), bytes_of(stamps, lens[i])));
        cr_expect_eq(memcmp(end + MPEGTS_PACKET_SIZE - 6, "\0\0\0\1\x48\1", 6), 0);
    }
}
