/* Goal: a probe goes on elsewhere as it would have here, and bytes that are no probe are refused,
 * or hurt nothing. Method: the same crafted stream for a probe and for its copy; bytes changed one
 * by one, and at random. */
#include "wire/media/probe_state.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/wire/media/mpegts_tables.h"

static const uint8_t key_picture[] = {0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 1, 0, 0, 1, 0x65, 0x88};

static struct stream_probe probe;
static uint8_t stream[3 * MPEGTS_PACKET_SIZE];

static void open_probe(void)
{
    craft_pat(stream);
    craft_pmt(0x1b, PID_VIDEO, stream + MPEGTS_PACKET_SIZE);
    craft_picture(key_picture, sizeof key_picture, true, stream + 2 * MPEGTS_PACKET_SIZE);
    stream_probe_init(&probe);
    stream_probe_take(&probe, bytes_of(stream, sizeof stream));
}

TestSuite(probe_state, .init = open_probe);

Test(probe_state, probe_goes_on)
{
    struct stream_probe copy;
    uint8_t splice[STREAM_SPLICE_SIZE_MAX], splice_of_copy[STREAM_SPLICE_SIZE_MAX];

    stream[2 * MPEGTS_PACKET_SIZE + 3] |= 1;
    for (size_t cut = 1; cut < sizeof stream; cut += 61) {
        stream_probe_take(&probe, bytes_of(stream, cut));
        cr_assert(probe_state_read(bytes_of(&probe, sizeof probe), &copy));
        struct bytes rest = bytes_of(stream + cut, sizeof stream - cut);
        struct stream_mark mark = stream_probe_take(&probe, rest);
        struct stream_mark mark_of_copy = stream_probe_take(&copy, rest);

        cr_assert_eq(memcmp(&mark, &mark_of_copy, sizeof mark), 0);
        cr_assert_eq(memcmp(&probe, &copy, sizeof probe), 0);
    }
    cr_assert_eq(stream_probe_splice(&probe, splice), stream_probe_splice(&copy, splice_of_copy));
}

Test(probe_state, other_lengths_are_refused)
{
    struct stream_probe copy;

    cr_assert_not(probe_state_read(bytes_of(&probe, sizeof probe - 1), &copy));
    cr_assert_not(probe_state_read(bytes_of(NULL, 0), &copy));
}

Test(probe_state, lengths_beyond_their_place_are_refused)
{
    struct stream_probe copy, bad;

#define expect_refused(member, value)                                                              \
    bad = probe;                                                                                   \
    bad.member = (value);                                                                          \
    cr_assert_not(probe_state_read(bytes_of(&bad, sizeof bad), &copy), #member)
    expect_refused(program.association.len, MPEGTS_SECTION_SIZE + 1);
    expect_refused(program.map.len, MPEGTS_SECTION_SIZE + 1);
    expect_refused(program.association_table.len, MPEGTS_TABLE_SIZE + 1);
    expect_refused(program.map_table.len, MPEGTS_TABLE_SIZE + 1);
    expect_refused(program.map_pid, MPEGTS_PID_NULL + 1);
    expect_refused(program.video_pid, MPEGTS_PID_NULL + 1);
    expect_refused(program.probe.sei_step, 3);
    expect_refused(program.probe.zeros, 3);
    expect_refused(pids.count, MPEGTS_PIDS_MAX + 1);
    expect_refused(begin.count, MPEGTS_PIDS_MAX + 1);
    expect_refused(begin.stamps_len, SPLICE_STAMPS_SIZE + 1);
    expect_refused(key.count, MPEGTS_PIDS_MAX + 1);
    expect_refused(carry_len, MPEGTS_PACKET_SIZE + 1);
    expect_refused(key_carry_len, MPEGTS_PACKET_SIZE + 1);
#undef expect_refused
}

static void use(struct stream_probe *used)
{
    uint8_t splice[STREAM_SPLICE_SIZE_MAX];

    for (size_t at = 0; at < sizeof stream; at += 100) {
        size_t len = sizeof stream - at < 100 ? sizeof stream - at : 100;
        struct stream_mark mark = stream_probe_take(used, bytes_of(stream + at, len));

        if (mark.kind == MEDIA_KEY) {
            stream_probe_splice(used, splice);
        } else if (mark.starts_at_boundary && used->is_stream) {
            stream_probe_gap(used, splice);
        }
    }
}

Test(probe_state, bytes_that_were_changed_are_refused_or_of_use)
{
    struct stream_probe copy;
    uint32_t seed = 1;

    for (unsigned i = 0; i < 100000; i++) {
        struct stream_probe bad = probe;

        for (unsigned change = 0; change < 1 + i % 4; change++) {
            seed = seed * 1664525u + 1013904223u;
            ((uint8_t *)&bad)[seed % sizeof bad] = (uint8_t)(seed >> 24);
        }
        if (probe_state_read(bytes_of(&bad, sizeof bad), &copy)) {
            use(&copy);
        }
    }
}
