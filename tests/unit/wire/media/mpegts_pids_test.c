/* Goal: the counters of all PIDs are known, and where no PES is incomplete. Method: crafted packets
 * with counters of their own, in order, lost and sent twice. */
#include <criterion/criterion.h>

#include "tests/unit/wire/media/mpegts_packets.h"
#include "wire/media/mpegts_pids.h"

enum { FULL = PACKET_PAYLOAD_MAX };

static struct mpegts_pids pids;

static void take(const struct craft *craft, uint8_t counter)
{
    uint8_t raw[MPEGTS_PACKET_SIZE];
    struct mpegts_packet packet;

    craft_packet(craft, raw);
    raw[3] |= counter;
    cr_assert_eq(mpegts_packet_parse(bytes_of(raw, sizeof raw), &packet), 0);
    mpegts_pids_take(&pids, &packet);
}

static bool closed(void)
{
    return mpegts_pids_are_closed(&pids, MPEGTS_PID_NULL);
}

static const struct craft video_unbounded = {PID_VIDEO, true, STREAM_ID_VIDEO, 0, false, 0, 0xaa};
static const struct craft video_more = {PID_VIDEO, false, 0, 0, false, 0, 0xaa};
static const struct craft video_last = {PID_VIDEO, false, 0, 0, false, 40, 0xaa};
static const struct craft audio_two = {PID_AUDIO, true, STREAM_ID_AUDIO, FULL + 50, false, 0, 0xaa};
static const struct craft audio_last = {PID_AUDIO, false, 0, 0, false, 56, 0xaa};

Test(mpegts_pids, a_pes_with_a_length_ends_with_its_last_byte)
{
    mpegts_pids_init(&pids);
    cr_expect(closed());
    take(&audio_two, 3);
    cr_expect_not(closed());
    cr_expect(mpegts_pids_are_closed(&pids, PID_AUDIO));
    take(&audio_last, 4);
    cr_expect(closed());
    cr_expect_eq(mpegts_pids_find(&pids, PID_AUDIO)->counter, 4);
    cr_expect_null(mpegts_pids_find(&pids, PID_VIDEO));
}

Test(mpegts_pids, a_pes_without_length_ends_with_stuffing_or_with_the_next)
{
    mpegts_pids_init(&pids);
    take(&video_unbounded, 0);
    take(&video_more, 1);
    cr_expect_not(closed());
    take(&video_last, 2);
    cr_expect(closed());
    take(&video_unbounded, 3);
    take(&audio_two, 0);
    take(&audio_last, 1);
    cr_expect_not(closed());
    cr_expect(mpegts_pids_are_closed(&pids, PID_VIDEO));
    cr_expect_eq(mpegts_pids_only_open(&pids), PID_VIDEO);
    take(&audio_two, 2);
    cr_expect_eq(mpegts_pids_only_open(&pids), MPEGTS_PID_NULL, "there are two");
}

Test(mpegts_pids, stuffing_inside_a_pes_says_nothing_any_more)
{
    mpegts_pids_init(&pids);
    take(&video_unbounded, 0);
    take(&video_last, 1);
    take(&video_more, 2);
    cr_expect_not(closed(), "it went on");
    take(&video_last, 3);
    cr_expect_not(closed());
    take(&video_unbounded, 4);
    take(&video_last, 5);
    cr_expect_not(closed());
}

Test(mpegts_pids, packets_that_are_lost_or_sent_twice_are_not_miscounted)
{
    mpegts_pids_init(&pids);
    take(&audio_two, 0);
    take(&audio_last, 2);
    cr_expect(closed(), "it ends with stuffing");
    take(&audio_two, 3);
    take(&(struct craft){PID_AUDIO, false, 0, 0, false, 0, 0}, 5);
    cr_expect_not(closed(), "the length is not known any more");
    mpegts_pids_init(&pids);
    take(&(struct craft){PID_AUDIO, true, STREAM_ID_AUDIO, 2 * FULL + 50, false, 0, 0}, 0);
    take(&(struct craft){PID_AUDIO, false, 0, 0, false, 0, 0}, 1);
    take(&(struct craft){PID_AUDIO, false, 0, 0, false, 0, 0}, 1);
    cr_expect_not(closed(), "the same packet twice");
    take(&audio_last, 2);
    cr_expect(closed());
}

Test(mpegts_pids, missing_packets_are_counted_once)
{
    static const struct craft empty = {PID_VIDEO, false, 0, 0, false, 0, 0};

    mpegts_pids_init(&pids);
    take(&video_unbounded, 7);
    take(&video_more, 8);
    take(&video_more, 8);
    take(&empty, 9);
    cr_expect_eq(pids.gaps, 0);
    take(&video_more, 11);
    take(&video_more, 12);
    cr_expect_eq(pids.gaps, 1);
    take(&video_more, 11);
    cr_expect_eq(pids.gaps, 2, "back");
}

Test(mpegts_pids, video_whose_start_was_lost_is_open)
{
    mpegts_pids_init(&pids);
    take(&video_unbounded, 0);
    take(&video_last, 1);
    take(&video_more, 5);
    cr_expect_not(closed());
    take(&video_last, 6);
    cr_expect(closed(), "loss says nothing against stuffing");
}

Test(mpegts_pids, a_pes_that_is_given_up_is_closed_after_a_while)
{
    uint8_t counter = 0;

    mpegts_pids_init(&pids);
    take(&audio_two, 3); /* its rest is lost, and no more follows */
    for (unsigned i = 0; i < MPEGTS_PES_SILENT_MAX / 2; i++) {
        cr_assert_not(closed(), "%u", i);
        take(&video_unbounded, counter++ & 15);
        take(&video_last, counter++ & 15);
    }
    take(&video_unbounded, counter++ & 15);
    cr_expect_eq(mpegts_pids_only_open(&pids), PID_VIDEO);
    take(&video_last, counter++ & 15);
    cr_expect(closed());
    take(&audio_two, 4);
    cr_expect_not(closed(), "it goes on");
}

Test(mpegts_pids, of_other_tables_are_closed)
{
    mpegts_pids_init(&pids);
    take(&audio_two, 3);
    take(&video_unbounded, 0);
    mpegts_pids_close_others(&pids, PID_VIDEO);
    cr_expect_eq(mpegts_pids_only_open(&pids), PID_VIDEO);
    mpegts_pids_close_others(&pids, PID_AUDIO);
    cr_expect(closed());
}

Test(mpegts_pids, forgets_the_one_seen_longest_ago_and_never_knows_null_packets)
{
    mpegts_pids_init(&pids);
    take(&(struct craft){MPEGTS_PID_NULL, false, 0, 0, false, 0, 0}, 0);
    cr_expect_eq(pids.count, 0);
    for (uint16_t pid = 0x20; pid < 0x20 + MPEGTS_PIDS_MAX; pid++) {
        take(&(struct craft){pid, false, 0, 0, false, 0, 0}, pid & 15);
    }
    take(&(struct craft){0x20, false, 0, 0, false, 0, 0}, 1);
    take(&video_last, 9);
    cr_expect_eq(pids.count, MPEGTS_PIDS_MAX);
    cr_expect_null(mpegts_pids_find(&pids, 0x21));
    cr_expect_not_null(mpegts_pids_find(&pids, 0x20));
    cr_expect_eq(mpegts_pids_find(&pids, PID_VIDEO)->counter, 9);
}
