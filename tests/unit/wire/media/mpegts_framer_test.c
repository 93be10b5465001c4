/* Goal: one message per video frame whatever pieces the stream comes in; every packet passes once
 * and in order; what is no packet is discarded and counted; nothing grows beyond the buffer.
 * Method: crafted streams fed whole, by packet, by odd pieces and byte by byte. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/attributes.h"
#include "tests/unit/wire/media/mpegts_packets.h"
#include "wire/media/mpegts_framer.h"

enum { PACKETS_MAX = 64, MESSAGES_MAX = 32, BUFFER_PACKETS = 16 };

struct stream {
    uint8_t data[PACKETS_MAX * MPEGTS_PACKET_SIZE + 64];
    size_t len;
};

struct found {
    size_t packets;
    enum mpegts_message_end end;
};

struct result {
    struct found messages[MESSAGES_MAX];
    size_t messages_count;
    uint8_t data[PACKETS_MAX * MPEGTS_PACKET_SIZE];
    size_t len;
};

static uint8_t framer_buf[BUFFER_PACKETS * MPEGTS_PACKET_SIZE + 100];

static void stream_add(struct stream *stream, struct craft craft)
{
    cr_assert_leq(stream->len + MPEGTS_PACKET_SIZE, sizeof stream->data);
    craft_packet(&craft, stream->data + stream->len);
    stream->len += MPEGTS_PACKET_SIZE;
}

/* A frame of full packets and one with last_len payload bytes. */
static void stream_add_frame(struct stream *stream, bool key, bool with_length, unsigned packets,
                             unsigned last_len)
{
    unsigned first_len = key ? PACKET_PAYLOAD_MAX - 2 : PACKET_PAYLOAD_MAX;
    unsigned total = first_len + (packets - 2) * PACKET_PAYLOAD_MAX + last_len;

    stream_add(stream, (struct craft){.pid = PID_VIDEO,
                                      .starts_pes = true,
                                      .stream_id = STREAM_ID_VIDEO,
                                      .pes_len = with_length ? (uint16_t)(total - 6) : 0,
                                      .random_access = key});
    for (unsigned i = 1; i + 1 < packets; i++) {
        stream_add(stream, (struct craft){.pid = PID_VIDEO, .filler = 0x47});
    }
    stream_add(stream, (struct craft){.pid = PID_VIDEO, .payload_len = last_len, .filler = 2});
}

static void stream_add_tables(struct stream *stream)
{
    stream_add(stream, (struct craft){.pid = MPEGTS_PID_PAT, .starts_pes = true});
    stream_add(stream, (struct craft){.pid = PID_PMT, .starts_pes = true});
}

static void result_add(struct result *result, const struct mpegts_message *message)
{
    cr_assert_lt(result->messages_count, (size_t)MESSAGES_MAX);
    cr_assert_leq(result->len + message->packets.len, sizeof result->data);
    cr_assert_eq(message->packets.len % MPEGTS_PACKET_SIZE, 0);
    cr_assert_gt(message->packets.len, 0);
    memcpy(result->data + result->len, message->packets.data, message->packets.len);
    result->len += message->packets.len;
    result->messages[result->messages_count++] =
        (struct found){message->packets.len / MPEGTS_PACKET_SIZE, message->end};
}

static void feed(struct mpegts_framer *framer, struct bytes input, size_t piece,
                 struct result *result)
{
    struct mpegts_message message;

    while (input.len > 0) {
        struct bytes part = bytes_of(input.data, input.len < piece ? input.len : piece);

        input = bytes_skip(input, part.len);
        while (mpegts_framer_push(framer, &part, &message)) {
            result_add(result, &message);
        }
        cr_assert_eq(part.len, 0);
    }
}

static void finish(struct mpegts_framer *framer, struct result *result)
{
    struct mpegts_message message;

    while (mpegts_framer_flush(framer, &message)) {
        result_add(result, &message);
    }
}

static void expect_messages(const struct result *result, const struct found *expected,
                            size_t expected_count, size_t piece)
{
    cr_assert_eq(result->messages_count, expected_count, "piece %zu: %zu messages", piece,
                 result->messages_count);
    for (size_t i = 0; i < expected_count; i++) {
        cr_expect_eq(result->messages[i].packets, expected[i].packets, "piece %zu message %zu: %zu",
                     piece, i, result->messages[i].packets);
        cr_expect_eq(result->messages[i].end, expected[i].end, "piece %zu message %zu: %d", piece,
                     i, (int)result->messages[i].end);
    }
}

static const size_t pieces[] = {1, 7, 47, 187, 188, 189, 564, 1316, 4096, 1 << 20};

static void expect_for_all_pieces(const struct stream *stream, const struct found *expected,
                                  size_t expected_count)
{
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        struct mpegts_framer framer;
        struct result result = {.len = 0};

        mpegts_framer_init(&framer, framer_buf, sizeof framer_buf);
        feed(&framer, bytes_of(stream->data, stream->len), pieces[i], &result);
        finish(&framer, &result);
        expect_messages(&result, expected, expected_count, pieces[i]);
        cr_expect_eq(result.len, stream->len);
        cr_expect_arr_eq(result.data, stream->data, stream->len);
        cr_expect_eq(framer.discarded_bytes, 0);
    }
}

Test(mpegts_framer, ends_frames_of_known_length_at_once)
{
    static const struct found expected[] = {
        {6, MPEGTS_END_LENGTH},
        {3, MPEGTS_END_LENGTH},
        {5, MPEGTS_END_LENGTH},
    };
    struct stream stream = {.len = 0};

    stream_add_tables(&stream);
    stream_add_frame(&stream, true, true, 4, 50);
    /* The last packet is full: only the length tells that the frame ends here. */
    stream_add_frame(&stream, false, true, 3, PACKET_PAYLOAD_MAX);
    stream_add_tables(&stream);
    stream_add_frame(&stream, true, true, 3, 10);
    expect_for_all_pieces(&stream, expected, ARRAY_LENGTH(expected));
}

Test(mpegts_framer, ends_frames_of_open_length_at_stuffing_or_the_next_start)
{
    static const struct found expected[] = {
        {6, MPEGTS_END_STUFFING},
        {3, MPEGTS_END_NEXT_START},
        {4, MPEGTS_END_STUFFING},
        {2, MPEGTS_END_FLUSH},
    };
    struct stream stream = {.len = 0};

    stream_add_tables(&stream);
    stream_add_frame(&stream, true, false, 4, 183);
    stream_add_frame(&stream, false, false, 3, PACKET_PAYLOAD_MAX);
    /* Tables in front of the next frame belong to it, although the last frame was still open. */
    stream_add_tables(&stream);
    stream_add_frame(&stream, false, false, 2, 100);
    stream_add_frame(&stream, false, false, 2, PACKET_PAYLOAD_MAX);
    expect_for_all_pieces(&stream, expected, ARRAY_LENGTH(expected));
}

Test(mpegts_framer, stuffing_inside_a_frame_of_known_length_does_not_end_it)
{
    static const struct found expected[] = {{3, MPEGTS_END_LENGTH}};
    struct stream stream = {.len = 0};

    stream_add(&stream, (struct craft){.pid = PID_VIDEO,
                                       .starts_pes = true,
                                       .stream_id = STREAM_ID_VIDEO,
                                       .pes_len = PACKET_PAYLOAD_MAX + 100 + 20 - 6});
    stream_add(&stream, (struct craft){.pid = PID_VIDEO, .payload_len = 100});
    stream_add(&stream, (struct craft){.pid = PID_VIDEO, .payload_len = 20});
    expect_for_all_pieces(&stream, expected, ARRAY_LENGTH(expected));
}

Test(mpegts_framer, puts_audio_in_front_of_the_next_frame)
{
    static const struct found expected[] = {
        {2, MPEGTS_END_LENGTH},
        {4, MPEGTS_END_LENGTH},
        {1, MPEGTS_END_FLUSH},
    };
    const struct craft audio = {
        .pid = PID_AUDIO, .starts_pes = true, .stream_id = STREAM_ID_AUDIO, .random_access = true};
    struct stream stream = {.len = 0};

    stream_add_frame(&stream, true, true, 2, 30);
    stream_add(&stream, audio);
    stream_add_frame(&stream, false, true, 2, 30);
    /* In between its packets, too; it stays where it was. */
    memmove(stream.data + 5 * MPEGTS_PACKET_SIZE, stream.data + 4 * MPEGTS_PACKET_SIZE,
            MPEGTS_PACKET_SIZE);
    stream.len += MPEGTS_PACKET_SIZE;
    craft_packet(&audio, stream.data + 4 * MPEGTS_PACKET_SIZE);
    stream_add(&stream, audio);
    expect_for_all_pieces(&stream, expected, ARRAY_LENGTH(expected));
}

Test(mpegts_framer, a_frame_larger_than_the_buffer_goes_in_parts)
{
    static const struct found expected[] = {
        {BUFFER_PACKETS, MPEGTS_END_FULL},
        {BUFFER_PACKETS, MPEGTS_END_FULL},
        {8, MPEGTS_END_LENGTH},
    };
    struct stream stream = {.len = 0};

    stream_add_frame(&stream, true, true, 2 * BUFFER_PACKETS + 8, 1);
    expect_for_all_pieces(&stream, expected, ARRAY_LENGTH(expected));
}

Test(mpegts_framer, a_frame_that_went_out_whole_with_the_full_buffer_leaves_no_empty_message)
{
    static const struct found expected[] = {
        {BUFFER_PACKETS, MPEGTS_END_FULL},
        {3, MPEGTS_END_LENGTH},
    };
    struct stream stream = {.len = 0};

    stream_add_frame(&stream, false, false, BUFFER_PACKETS, PACKET_PAYLOAD_MAX);
    stream_add(&stream, (struct craft){.pid = PID_AUDIO});
    stream_add_frame(&stream, true, true, 2, 9);
    expect_for_all_pieces(&stream, expected, ARRAY_LENGTH(expected));
}

Test(mpegts_framer, finds_its_step_again_after_bytes_that_are_no_packet)
{
    static const uint8_t garbage[] = {0x47, 1, 2, 0x47, 0x47, 9, 8, 7};

    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        struct stream stream = {.len = 0};
        struct result result = {.len = 0};
        struct mpegts_framer framer;
        size_t good_len;

        stream_add_frame(&stream, true, true, 3, 20);
        good_len = stream.len;
        memcpy(stream.data + stream.len, garbage, sizeof garbage);
        stream.len += sizeof garbage;
        stream_add_frame(&stream, true, true, 3, 20);
        stream_add_frame(&stream, false, true, 3, 20);
        mpegts_framer_init(&framer, framer_buf, sizeof framer_buf);
        feed(&framer, bytes_of(stream.data, stream.len), pieces[i], &result);

        /* The bogus sync byte at the front of the garbage costs the first frame behind it its
         * start: a packet is taken on trust while in step. The second frame is whole again. */
        cr_assert_geq(result.messages_count, (size_t)2, "piece %zu", pieces[i]);
        cr_expect_arr_eq(result.data, stream.data, good_len);
        cr_expect_arr_eq(result.data + result.len - good_len, stream.data + stream.len - good_len,
                         good_len);
        cr_expect_eq(result.messages[result.messages_count - 1].end, MPEGTS_END_LENGTH);
        cr_expect_gt(framer.discarded_bytes, 0);
        cr_expect_eq(framer.discarded_bytes + result.len + framer.carry_len + framer.buf_len -
                         framer.taken_len,
                     stream.len);
    }
}

Test(mpegts_framer, joins_a_stream_inside_a_packet)
{
    struct stream stream = {.len = 0};
    struct result result = {.len = 0};
    struct mpegts_framer framer;
    const size_t joined_at = 100;

    stream_add_frame(&stream, true, true, 3, 20);
    stream_add_frame(&stream, true, true, 3, 21);
    mpegts_framer_init(&framer, framer_buf, sizeof framer_buf);
    feed(&framer, bytes_of(stream.data + joined_at, stream.len - joined_at), 4096, &result);
    cr_expect_eq(framer.discarded_bytes, MPEGTS_PACKET_SIZE - joined_at);
    /* The rest of the first frame has no start: it goes in front of the second. */
    cr_assert_eq(result.messages_count, 1);
    cr_expect_eq(result.messages[0].packets, 5);
}

Test(mpegts_framer, says_what_it_holds)
{
    struct mpegts_framer framer;
    struct mpegts_message message;
    struct result result = {.len = 0};
    struct stream stream = {.len = 0};
    struct bytes input;

    mpegts_framer_init(&framer, framer_buf, sizeof framer_buf);
    cr_expect_eq(mpegts_framer_pending(&framer), MPEGTS_PENDING_NOTHING);
    stream_add_tables(&stream);
    feed(&framer, bytes_of(stream.data, stream.len), 4096, &result);
    cr_expect_eq(mpegts_framer_pending(&framer), MPEGTS_PENDING_BETWEEN);

    stream.len = 0;
    stream_add_frame(&stream, true, true, 2, 30);
    feed(&framer, bytes_of(stream.data, MPEGTS_PACKET_SIZE), 4096, &result);
    cr_expect_eq(mpegts_framer_pending(&framer), MPEGTS_PENDING_PARTIAL);
    feed(&framer, bytes_of(stream.data + MPEGTS_PACKET_SIZE, MPEGTS_PACKET_SIZE), 4096, &result);
    cr_expect_eq(mpegts_framer_pending(&framer), MPEGTS_PENDING_NOTHING);
    cr_expect_eq(result.messages_count, 1);

    stream.len = 0;
    stream_add_frame(&stream, false, false, 2, PACKET_PAYLOAD_MAX);
    stream_add_tables(&stream);
    feed(&framer, bytes_of(stream.data, stream.len), 4096, &result);
    cr_expect_eq(mpegts_framer_pending(&framer), MPEGTS_PENDING_OPEN);

    cr_assert(mpegts_framer_flush(&framer, &message));
    cr_expect_eq(message.packets.len, 2 * MPEGTS_PACKET_SIZE);
    cr_expect_eq(mpegts_framer_pending(&framer), MPEGTS_PENDING_BETWEEN);
    cr_assert(mpegts_framer_flush(&framer, &message));
    cr_expect_eq(message.packets.len, 2 * MPEGTS_PACKET_SIZE);
    cr_expect_eq(mpegts_framer_pending(&framer), MPEGTS_PENDING_NOTHING);
    cr_expect_not(mpegts_framer_flush(&framer, &message));

    input = bytes_of(stream.data, 10);
    cr_expect_not(mpegts_framer_push(&framer, &input, &message));
    mpegts_framer_reset(&framer);
    cr_expect_eq(framer.carry_len, 0);
    cr_expect_eq(mpegts_framer_pending(&framer), MPEGTS_PENDING_NOTHING);
}

Test(mpegts_framer, a_new_video_pid_takes_over_when_no_frame_is_open)
{
    static const struct found expected[] = {
        {2, MPEGTS_END_LENGTH},
        {1, MPEGTS_END_STUFFING},
    };
    struct stream stream = {.len = 0};

    stream_add_frame(&stream, true, true, 2, 30);
    stream_add(&stream, (struct craft){.pid = 0x200,
                                       .starts_pes = true,
                                       .stream_id = STREAM_ID_VIDEO,
                                       .random_access = true,
                                       .payload_len = 40});
    expect_for_all_pieces(&stream, expected, ARRAY_LENGTH(expected));
}

Test(mpegts_framer, passes_damaged_packets_on)
{
    static const struct found expected[] = {{3, MPEGTS_END_LENGTH}};
    struct stream stream = {.len = 0};

    stream_add(&stream, (struct craft){.pid = PID_VIDEO});
    stream.data[3] = 0x30;
    stream.data[4] = 250; /* an adaptation field beyond the packet */
    stream_add_frame(&stream, true, true, 2, 30);
    expect_for_all_pieces(&stream, expected, ARRAY_LENGTH(expected));
}
