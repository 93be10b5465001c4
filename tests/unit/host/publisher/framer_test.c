/* Goal: bodies are cut at silence, never inside a chunk; transport streams at the ends of pictures.
 */
#include "host/publisher/framer.h"

#include <criterion/criterion.h>
#include <string.h>

struct cuts {
    size_t count, lens[16], total;
    bool are_packets;
};

static void on_cut(void *context, struct bytes content, bool is_transport_stream)
{
    struct cuts *cuts = context;

    cuts->lens[cuts->count++ % 16] = content.len;
    cuts->total += content.len;
    cuts->are_packets = is_transport_stream;
}

static void setup(struct framer *framer, struct cuts *cuts)
{
    *cuts = (struct cuts){0};
    cr_assert_eq(framer_init(framer, on_cut, cuts), 0);
}

Test(framer, cuts_bytes_at_silence_and_waits_for_the_rest_of_a_chunk)
{
    struct framer framer;
    struct cuts cuts;

    setup(&framer, &cuts);
    cr_assert_eq(framer_pause_ms(&framer), 0);
    framer_take(&framer, bytes_of_text("hello"));
    framer_note_chunk(&framer, 10, true);
    cr_assert_eq(framer_pause_ms(&framer), 0);
    framer_take(&framer, bytes_of_text("world"));
    framer_note_chunk(&framer, 10, false);
    cr_assert_eq(framer_pause_ms(&framer), FRAMER_PAUSE_MS);
    framer_cut(&framer);
    framer_cut(&framer);
    cr_assert_eq(cuts.count, 1);
    cr_assert_eq(cuts.lens[0], 10);
    framer_take(&framer, bytes_of_text("x"));
    framer_note_chunk(&framer, FRAMER_FULL_CHUNK, false);
    cr_assert_eq(framer_pause_ms(&framer), FRAMER_PAUSE_LONG_MS);
    framer_deinit(&framer);
}

Test(framer, keeps_long_bursts_up_to_the_limit)
{
    static uint8_t data[1024 * 1024];
    struct framer framer;
    struct cuts cuts;

    setup(&framer, &cuts);
    for (unsigned i = 0; i < 21; i++) {
        framer_take(&framer, bytes_of(data, sizeof data));
    }
    framer_cut(&framer);
    cr_assert_eq(cuts.count, 3);
    cr_assert_eq(cuts.lens[0], FRAMER_MESSAGE_MAX);
    cr_assert_eq(cuts.total, 21 * sizeof data);
    framer_deinit(&framer);
}

/* A packet of the video; first: a PES of unknown length begins; last: with stuffing. */
static void packet_make(uint8_t packet[static MPEGTS_PACKET_SIZE], bool first, bool last)
{
    memset(packet, 0xff, MPEGTS_PACKET_SIZE);
    packet[0] = MPEGTS_SYNC_BYTE;
    packet[1] = first ? 0x41 : 0x01;
    packet[2] = 0;
    packet[3] = last ? 0x30 : 0x10;
    size_t at = 4;

    if (last) {
        packet[4] = 10;
        packet[5] = 0;
        at = 15;
    }
    if (first) {
        memcpy(packet + at, "\0\0\1\xe0\0\0\x80\0\0", 9);
    }
}

Test(framer, cuts_transport_streams_where_pictures_end)
{
    uint8_t stream[6][MPEGTS_PACKET_SIZE];
    struct framer framer;
    struct cuts cuts;

    setup(&framer, &cuts);
    for (size_t i = 0; i < 6; i++) {
        packet_make(stream[i], i % 3 == 0, i == 2);
    }
    /* Both pictures in one burst, cut anywhere. */
    for (size_t at = 0; at < sizeof stream; at += 100) {
        size_t left = sizeof stream - at;

        framer_take(&framer, bytes_of((uint8_t *)stream + at, left < 100 ? left : 100));
        framer_note_chunk(&framer, 0, false);
    }
    cr_assert_eq(cuts.count, 1);
    cr_assert_eq(cuts.lens[0], 3 * MPEGTS_PACKET_SIZE);
    cr_assert(cuts.are_packets);
    cr_assert_eq(framer_pause_ms(&framer), FRAMER_PAUSE_MS);
    framer_cut(&framer);
    cr_assert_eq(cuts.lens[1], 3 * MPEGTS_PACKET_SIZE);
    cr_assert_eq(framer_pause_ms(&framer), 0);
    framer_deinit(&framer);
}
