/* Goal: each message of a publisher is what the probe says, however the stream is cut. Method:
 * crafted streams of tables, pictures and audio, as messages of one picture, of single packets, and
 * cut at every place inside packets; then damage and changes of format. */
#include <criterion/criterion.h>

#include "tests/unit/wire/media/mpegts_tables.h"
#include "wire/media/stream_probe.h"

static const uint8_t key[] = {0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 1, 0, 0, 1, 0x65, 0x88};
static const uint8_t dependent[] = {0, 0, 1, 0x41, 0x9a};
static const uint8_t disposable[] = {0, 0, 1, 0x01, 0x9a};

enum { PICTURE_PACKETS = 3, PACKETS_MAX = 64 };

/* A stream in the making. */
struct stream {
    uint8_t data[PACKETS_MAX * MPEGTS_PACKET_SIZE];
    size_t len;
    uint8_t counters[3]; /* tables, video, audio */
};

static struct stream_probe probe;

static void add(struct stream *stream, unsigned counter, const uint8_t *raw)
{
    cr_assert(stream->len + MPEGTS_PACKET_SIZE <= sizeof stream->data);
    memcpy(stream->data + stream->len, raw, MPEGTS_PACKET_SIZE);
    stream->data[stream->len + 3] |= stream->counters[counter]++ & 15;
    stream->len += MPEGTS_PACKET_SIZE;
}

static void add_tables(struct stream *stream, uint8_t stream_type)
{
    uint8_t raw[MPEGTS_PACKET_SIZE];

    craft_pat(raw);
    add(stream, 0, raw);
    stream->counters[0]--;
    craft_pmt(stream_type, PID_VIDEO, raw);
    add(stream, 0, raw);
}

/* Of PICTURE_PACKETS packets; without a length, the last one with stuffing. */
static void add_picture(struct stream *stream, const uint8_t *bytes, size_t len, bool marked)
{
    uint8_t raw[MPEGTS_PACKET_SIZE];

    craft_picture(bytes, len, marked, raw);
    raw[MPEGTS_PACKET_SIZE - (PACKET_PAYLOAD_MAX - 2) + 4] = 0;
    raw[MPEGTS_PACKET_SIZE - (PACKET_PAYLOAD_MAX - 2) + 5] = 0;
    add(stream, 1, raw);
    craft_packet(&(struct craft){PID_VIDEO, false, 0, 0, false, 0, 0xaa}, raw);
    add(stream, 1, raw);
    craft_packet(&(struct craft){PID_VIDEO, false, 0, 0, false, 60, 0xaa}, raw);
    add(stream, 1, raw);
}

static void add_audio(struct stream *stream, bool whole)
{
    uint8_t raw[MPEGTS_PACKET_SIZE];
    uint16_t len = whole ? PACKET_PAYLOAD_MAX - 6 : PACKET_PAYLOAD_MAX;

    craft_packet(&(struct craft){PID_AUDIO, true, STREAM_ID_AUDIO, len, false, 0, 0xaa}, raw);
    add(stream, 2, raw);
}

static struct stream_mark take(struct stream *stream)
{
    struct stream_mark mark = stream_probe_take(&probe, bytes_of(stream->data, stream->len));

    stream->len = 0;
    return mark;
}

static void begin(struct stream *stream)
{
    memset(stream, 0, sizeof *stream);
    stream_probe_init(&probe);
    add_tables(stream, 0x1b);
}

Test(stream_probe, knows_the_kind_of_messages_of_one_picture)
{
    struct stream stream;
    struct stream_mark mark;
    size_t len;

    begin(&stream);
    add_picture(&stream, key, sizeof key, true);
    len = stream.len;
    mark = take(&stream);
    cr_expect_eq(mark.kind, MEDIA_KEY);
    cr_expect_eq(mark.key_offset, 2 * MPEGTS_PACKET_SIZE, "the splice has the tables");
    cr_expect_eq(mark.key_carry_len, 0);
    cr_expect_eq(mark.end_offset, len);
    cr_expect(mark.starts_at_boundary);
    add_picture(&stream, dependent, sizeof dependent, false);
    mark = take(&stream);
    cr_expect_eq(mark.kind, MEDIA_DEPENDENT);
    cr_expect(mark.starts_at_boundary);
    add_picture(&stream, disposable, sizeof disposable, false);
    cr_expect_eq(take(&stream).kind, MEDIA_DISPOSABLE);
    add_audio(&stream, true);
    cr_expect_eq(take(&stream).kind, MEDIA_STREAM);
    add_picture(&stream, disposable, sizeof disposable, false);
    add_audio(&stream, true);
    cr_expect_eq(take(&stream).kind, MEDIA_DEPENDENT, "the audio must stay");
    add_picture(&stream, key, sizeof key, false);
    cr_expect_eq(take(&stream).kind, MEDIA_KEY, "without the mark");
}

/* With a PTS in its header, as B pictures behind an I picture have an earlier one. */
static void add_stamped(struct stream *stream, const uint8_t *bytes, size_t len, uint8_t pts)
{
    size_t at = stream->len;
    uint8_t *pes;

    add_picture(stream, bytes, len, false);
    pes = stream->data + at + 4;
    memmove(pes, pes + 2, 12); /* no adaptation field, and two bytes more of header */
    stream->data[at + 3] &= 0x1f;
    memcpy(pes + 7, (const uint8_t[]){0x80, 5, 0x21, 0, 1, 0, (uint8_t)(pts << 1 | 1)}, 7);
}

Test(stream_probe, pictures_shown_before_the_key_picture_are_leading)
{
    struct stream stream;
    uint8_t gap[SPLICE_GAP_SIZE_MAX];

    begin(&stream);
    add_stamped(&stream, key, sizeof key, 5);
    cr_expect_not(take(&stream).is_leading);
    add_stamped(&stream, dependent, sizeof dependent, 3);
    cr_expect(take(&stream).is_leading);
    cr_expect_eq(stream_probe_gap(&probe, gap), 3 * MPEGTS_PACKET_SIZE);
    cr_expect_eq(gap[2 * MPEGTS_PACKET_SIZE + 3], 0x20 | (PICTURE_PACKETS - 1));
    add_audio(&stream, true);
    add_stamped(&stream, disposable, sizeof disposable, 2);
    cr_expect(take(&stream).is_leading, "with audio too");
    add_stamped(&stream, dependent, sizeof dependent, 8);
    cr_expect_not(take(&stream).is_leading);
    add_picture(&stream, dependent, sizeof dependent, false);
    cr_expect_not(take(&stream).is_leading, "without a stamp");
    add_stamped(&stream, dependent, sizeof dependent, 3);
    add_stamped(&stream, dependent, sizeof dependent, 3);
    cr_expect_not(take(&stream).is_leading, "two");
}

/* CRA: behind it come pictures that need those before it. */
Test(stream_probe, the_splice_of_an_open_gop_of_h265_ends_the_sequence)
{
    static const uint8_t cra[] = {0, 0, 1, 0x2a, 1, 0x80}, idr[] = {0, 0, 1, 0x26, 1, 0x80};
    uint8_t out[STREAM_SPLICE_SIZE_MAX];
    struct stream stream;

    memset(&stream, 0, sizeof stream);
    stream_probe_init(&probe);
    add_tables(&stream, 0x24);
    add_picture(&stream, idr, sizeof idr, true);
    cr_expect_eq(take(&stream).kind, MEDIA_KEY);
    cr_expect_eq(stream_probe_splice(&probe, out), 4 * MPEGTS_PACKET_SIZE);
    add_picture(&stream, idr, sizeof idr, true);
    cr_expect_eq(take(&stream).kind, MEDIA_KEY);
    cr_expect_eq(stream_probe_splice(&probe, out), 5 * MPEGTS_PACKET_SIZE);
    add_picture(&stream, cra, sizeof cra, true);
    cr_expect_eq(take(&stream).kind, MEDIA_KEY);
    cr_expect_eq(stream_probe_splice(&probe, out), 6 * MPEGTS_PACKET_SIZE);
    add_picture(&stream, (const uint8_t[]){0, 0, 1, 0x42, 1, 1}, 6, true);
    stream.len = MPEGTS_PACKET_SIZE;
    cr_expect_eq(take(&stream).kind, MEDIA_KEY, "by its mark and parameters; slices come later");
    cr_expect_eq(stream_probe_splice(&probe, out), 6 * MPEGTS_PACKET_SIZE);
}

Test(stream_probe, a_mark_is_not_believed_against_the_picture)
{
    struct stream stream;

    begin(&stream);
    add_picture(&stream, dependent, sizeof dependent, true);
    cr_expect_eq(take(&stream).kind, MEDIA_DEPENDENT);
    add_picture(&stream, key + 10, sizeof key - 10, true);
    cr_expect_eq(take(&stream).kind, MEDIA_KEY, "an IDR picture whose parameters came before");
    add_picture(&stream, key + 10, sizeof key - 10, false);
    cr_expect_eq(take(&stream).kind, MEDIA_DEPENDENT, "the same without a mark");
}

Test(stream_probe, no_boundary_is_inside_any_pes)
{
    struct stream stream;
    struct stream_mark mark;
    uint8_t raw[MPEGTS_PACKET_SIZE];

    begin(&stream);
    add_picture(&stream, key, sizeof key, true);
    (void)take(&stream);
    add_audio(&stream, false);
    add_picture(&stream, dependent, sizeof dependent, false);
    mark = take(&stream);
    cr_expect(mark.starts_at_boundary);
    cr_expect_eq(mark.end_offset, 0, "audio is incomplete");
    craft_packet(&(struct craft){PID_AUDIO, false, 0, 0, false, 6, 0xaa}, raw);
    add(&stream, 2, raw);
    add_picture(&stream, dependent, sizeof dependent, false);
    stream.len -= MPEGTS_PACKET_SIZE;
    mark = take(&stream);
    cr_expect_not(mark.starts_at_boundary);
    cr_expect_eq(mark.end_offset, MPEGTS_PACKET_SIZE, "from there on the picture is");
}

/* The last packet of a picture may be full: then its end is known when the next one begins. */
Test(stream_probe, a_picture_without_length_ends_where_the_next_begins)
{
    struct stream stream;
    struct stream_mark mark;

    begin(&stream);
    add_picture(&stream, key, sizeof key, true);
    stream.len -= MPEGTS_PACKET_SIZE;
    stream.counters[1]--;
    mark = take(&stream);
    cr_expect_eq(mark.end_offset, 2 * MPEGTS_PACKET_SIZE, "in front of the picture");
    add_picture(&stream, dependent, sizeof dependent, false);
    mark = take(&stream);
    cr_expect(mark.starts_at_boundary);
    cr_expect_eq(mark.end_offset, PICTURE_PACKETS * MPEGTS_PACKET_SIZE);
}

/* Audio of the next message may come between. */
Test(stream_probe, a_picture_has_ended_with_its_message_if_the_next_begins_behind_other_packets)
{
    struct stream stream;
    struct stream_mark mark;

    begin(&stream);
    add_picture(&stream, key, sizeof key, true);
    stream.len -= MPEGTS_PACKET_SIZE;
    stream.counters[1]--;
    (void)take(&stream);
    add_audio(&stream, true);
    add_picture(&stream, dependent, sizeof dependent, false);
    cr_expect(take(&stream).starts_at_boundary);
    add_picture(&stream, dependent, sizeof dependent, false);
    stream.len -= MPEGTS_PACKET_SIZE;
    stream.counters[1]--;
    (void)take(&stream);
    add_audio(&stream, true);
    add_picture(&stream, dependent, sizeof dependent, false);
    memmove(stream.data + MPEGTS_PACKET_SIZE, stream.data + 2 * (size_t)MPEGTS_PACKET_SIZE,
            stream.len - 2 * (size_t)MPEGTS_PACKET_SIZE);
    stream.len -= MPEGTS_PACKET_SIZE;
    mark = take(&stream);
    cr_expect_not(mark.starts_at_boundary, "more of the picture comes");
}

/* One stream with two key pictures: cut at each place, viewers may begin and end where they may
 * without cuts. */
Test(stream_probe, cuts_change_nothing)
{
    struct stream stream;
    const size_t key_at = (2 + 2 * PICTURE_PACKETS) * MPEGTS_PACKET_SIZE;

    begin(&stream);
    add_picture(&stream, key, sizeof key, true);
    add_picture(&stream, dependent, sizeof dependent, false);
    add_picture(&stream, key, sizeof key, true);
    add_picture(&stream, dependent, sizeof dependent, false);
    for (size_t cut = 3 * MPEGTS_PACKET_SIZE; cut < stream.len; cut++) {
        uint8_t out[STREAM_SPLICE_SIZE_MAX];
        struct stream_mark first, second, *of_key;
        size_t in_packet = cut % MPEGTS_PACKET_SIZE, begins, len;

        stream_probe_init(&probe);
        first = stream_probe_take(&probe, bytes_of(stream.data, cut));
        cr_expect_eq(first.kind, MEDIA_KEY);
        second = stream_probe_take(&probe, bytes_of(stream.data + cut, stream.len - cut));
        if (cut >= key_at + MPEGTS_PACKET_SIZE) {
            cr_expect_neq(second.kind, MEDIA_KEY, "%zu", cut);
            cr_expect_eq(first.key_offset, key_at, "%zu", cut);
            continue;
        }
        of_key = &second;
        cr_assert_eq(second.kind, MEDIA_KEY, "%zu", cut);
        begins = cut + of_key->key_offset - of_key->key_carry_len;
        cr_expect_eq(begins, key_at, "%zu", cut);
        cr_expect_eq(of_key->key_carry_len, cut > key_at ? in_packet : 0);
        len = stream_probe_splice(&probe, out);
        cr_expect_eq(len % MPEGTS_PACKET_SIZE, of_key->key_carry_len, "%zu", cut);
        cr_expect_eq(
            memcmp(out + len - of_key->key_carry_len, stream.data + begins, of_key->key_carry_len),
            0);
        cr_expect_eq(cut + second.end_offset, stream.len, "%zu", cut);
    }
}

/* Viewers of the key picture alone must not get leading pictures behind it. */
Test(stream_probe, a_key_picture_ends_where_it_ends_whatever_comes_in_the_same_message)
{
    for (size_t cut = 3 * (size_t)MPEGTS_PACKET_SIZE;
         cut < (2 + PICTURE_PACKETS) * (size_t)MPEGTS_PACKET_SIZE; cut++) {
        struct stream stream;
        struct stream_mark mark;
        size_t key_end;

        begin(&stream);
        add_picture(&stream, key, sizeof key, true);
        key_end = stream.len;
        add_picture(&stream, disposable, sizeof disposable, false);
        add_picture(&stream, dependent, sizeof dependent, false);
        mark = stream_probe_take(&probe, bytes_of(stream.data, cut));
        cr_assert_eq(mark.kind, MEDIA_KEY);
        mark = stream_probe_take(&probe, bytes_of(stream.data + cut, stream.len - cut));
        cr_assert_eq(mark.kind, MEDIA_DEPENDENT);
        cr_expect_eq(cut + mark.end_offset, key_end, "%zu", cut);
        stream.len = 0;
        add_picture(&stream, disposable, sizeof disposable, false);
        add_picture(&stream, dependent, sizeof dependent, false);
        cr_expect_eq(stream_probe_take(&probe, bytes_of(stream.data, stream.len)).end_offset,
                     stream.len, "of others the last end counts");
    }
}

Test(stream_probe, damage_is_survived)
{
    struct stream stream;
    struct stream_mark mark;

    begin(&stream);
    add_picture(&stream, key, sizeof key, true);
    (void)take(&stream);
    /* One byte is lost. */
    add_picture(&stream, dependent, sizeof dependent, false);
    add_picture(&stream, dependent, sizeof dependent, false);
    memmove(stream.data + 100, stream.data + 101, stream.len - 101);
    stream.len--;
    cr_expect_eq(take(&stream).kind, MEDIA_DEPENDENT);
    add_picture(&stream, key, sizeof key, true);
    mark = take(&stream);
    cr_expect_eq(mark.kind, MEDIA_KEY, "the next message is whole again");
    cr_expect_eq(mark.key_offset, 0);
    cr_expect_eq(mark.end_offset, PICTURE_PACKETS * MPEGTS_PACKET_SIZE);
}

/* Bytes that may begin packets, but none that does: one message may not take long. */
Test(stream_probe, the_rest_of_a_message_without_packets_is_left)
{
    static uint8_t raw[2 * STREAM_SEARCHES_MAX + 2000 * MPEGTS_PACKET_SIZE];
    struct stream stream;
    size_t len = 0, searched = 0;

    begin(&stream);
    add_picture(&stream, key, sizeof key, true);
    (void)take(&stream);
    memset(raw, 0, sizeof raw);
    while (searched <= STREAM_SEARCHES_MAX + MPEGTS_PACKET_SIZE) {
        memset(raw + len, MPEGTS_SYNC_BYTE, MPEGTS_PACKET_SIZE);
        searched += MPEGTS_PACKET_SIZE;
        len += 2 * (size_t)MPEGTS_PACKET_SIZE;
    }
    add_picture(&stream, key, sizeof key, true);
    memcpy(raw + len, stream.data, stream.len);
    len += stream.len;
    stream.len = 0;
    cr_expect_eq(stream_probe_take(&probe, bytes_of(raw, len)).kind, MEDIA_STREAM);
    cr_expect_eq(probe.carry_len, 0);
    add_picture(&stream, key, sizeof key, true);
    cr_expect_eq(take(&stream).kind, MEDIA_KEY, "the next message is whole again");
}

/* Without a new connection: counters begin anew. */
Test(stream_probe, a_publisher_that_starts_again_has_a_gap_and_a_splice_that_fits)
{
    uint8_t out[STREAM_SPLICE_SIZE_MAX];
    struct stream stream;
    struct stream_mark mark;

    begin(&stream);
    add_picture(&stream, key, sizeof key, true);
    cr_expect_not(take(&stream).has_gap);
    memset(&stream, 0, sizeof stream);
    stream.counters[1] = 9;
    add_tables(&stream, 0x1b);
    add_picture(&stream, key, sizeof key, true);
    mark = take(&stream);
    cr_expect_eq(mark.kind, MEDIA_KEY);
    cr_expect(mark.has_gap);
    cr_expect(mark.key_at_boundary);
    cr_assert_eq(stream_probe_splice(&probe, out), 5 * MPEGTS_PACKET_SIZE);
    cr_expect_eq(out[4 * MPEGTS_PACKET_SIZE + 3], 0x28, "the counter before the picture's");
}

Test(stream_probe, other_messages_between_those_of_a_stream_are_data)
{
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff, 0xda, 0, 2, 1, 0xff, 0xd9};
    struct stream stream;

    begin(&stream);
    add_picture(&stream, key, sizeof key, true);
    (void)take(&stream);
    cr_expect_eq(stream_probe_take(&probe, bytes_of_text("{\"t\":1}")).kind, MEDIA_DATA);
    cr_expect_eq(stream_probe_take(&probe, bytes_of(jpeg, sizeof jpeg)).kind, MEDIA_JPEG);
    add_picture(&stream, disposable, sizeof disposable, false);
    cr_expect_eq(take(&stream).kind, MEDIA_DISPOSABLE);
    for (unsigned i = 0; i < STREAM_STRAYS_MAX; i++) {
        cr_expect(probe.is_stream);
        cr_expect_eq(stream_probe_take(&probe, bytes_of_text("{\"t\":1}")).kind, MEDIA_DATA);
    }
    cr_expect_not(probe.is_stream);
    begin(&stream);
    add_picture(&stream, key, sizeof key, true);
    cr_expect_eq(take(&stream).kind, MEDIA_KEY, "and back");
}

Test(stream_probe, jpeg_is_known_and_parts_of_one_are_data)
{
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff, 0xda, 0, 2, 1, 0xff, 0xd9, 0, 7};

    stream_probe_init(&probe);
    cr_expect_eq(stream_probe_take(&probe, bytes_of(jpeg, sizeof jpeg)).kind, MEDIA_JPEG);
    cr_expect_eq(stream_probe_take(&probe, bytes_of(jpeg, 7)).kind, MEDIA_DATA);
    cr_expect_eq(stream_probe_take(&probe, bytes_of(jpeg + 7, 4)).kind, MEDIA_DATA);
    cr_expect_eq(stream_probe_take(&probe, bytes_of(NULL, 0)).kind, MEDIA_DATA);
}

Test(stream_probe, packets_of_other_sizes_and_streams_of_several_programs_have_no_pictures)
{
    const uint8_t entries[] = {0, 1, 0xf0, 0, 0, 2, 0xf1, 0};
    static const size_t sizes[] = {192, 204};
    static uint8_t other[20 * 204];
    uint8_t section[64], raw[MPEGTS_PACKET_SIZE];
    struct stream stream;
    size_t len;

    for (size_t i = 0; i < 2; i++) {
        memset(other, 0xaa, sizeof other);
        for (size_t at = sizes[i] == 192 ? 4 : 0; at < sizeof other; at += sizes[i]) {
            other[at] = MPEGTS_SYNC_BYTE;
        }
        stream_probe_init(&probe);
        cr_expect_eq(stream_probe_take(&probe, bytes_of(other, sizeof other)).kind, MEDIA_DATA);
    }
    begin(&stream);
    len = craft_section(0, entries, 0, entries, sizeof entries, section);
    (void)craft_section_packet(MPEGTS_PID_PAT, section, len, 0, raw);
    add(&stream, 0, raw);
    add_picture(&stream, key, sizeof key, true);
    cr_expect_eq(take(&stream).kind, MEDIA_STREAM);
}

Test(stream_probe, tables_that_change_are_those_of_the_next_splice)
{
    uint8_t out[STREAM_SPLICE_SIZE_MAX];
    struct stream stream;

    begin(&stream);
    add_picture(&stream, key, sizeof key, true);
    add_tables(&stream, 0x24);
    cr_expect_eq(take(&stream).kind, MEDIA_DEPENDENT, "the key picture has the old tables");
    add_picture(&stream, (const uint8_t[]){0, 0, 1, 0x26, 1}, 5, true);
    cr_expect_eq(take(&stream).kind, MEDIA_KEY);
    (void)stream_probe_splice(&probe, out);
    cr_expect_eq(out[3 * MPEGTS_PACKET_SIZE + 5 + 12], 0x24);
}

/* A publisher that starts its program again cuts off what it was about to say. */
Test(stream_probe, what_other_tables_left_open_hides_no_boundary)
{
    struct stream stream;

    begin(&stream);
    add_picture(&stream, key, sizeof key, true);
    add_audio(&stream, false); /* goes on, but nothing more of it comes */
    cr_expect_lt(take(&stream).end_offset, 6 * MPEGTS_PACKET_SIZE);
    add_tables(&stream, 0x24);
    (void)take(&stream);
    add_picture(&stream, (const uint8_t[]){0, 0, 1, 0x26, 1}, 5, true);
    size_t len = stream.len;
    struct stream_mark mark = take(&stream);

    cr_expect(mark.starts_at_boundary);
    cr_expect_eq(mark.end_offset, len);
}

Test(stream_probe, is_wanted_for_the_first_messages_and_for_those_that_may_be_media)
{
    cr_expect(stream_probe_is_wanted(bytes_of_text("data"), 0));
    cr_expect_not(stream_probe_is_wanted(bytes_of_text("data"), STREAM_LOOKS));
    cr_expect(stream_probe_is_wanted(bytes_of_text("data"), STREAM_LOOK_EVERY));
    cr_expect(stream_probe_is_wanted(bytes_of_text("Go"), STREAM_LOOKS));
    cr_expect(stream_probe_is_wanted(bytes_of("\xff\xd8\xff", 3), STREAM_LOOKS));
    cr_expect_not(stream_probe_is_wanted(bytes_of(NULL, 0), STREAM_LOOKS));
}
