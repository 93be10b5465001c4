/* Goal: a viewer recognises records however they are framed and cut into reads, control frames in
 * between, and everything a server must not send. Method: every stream whole and byte by byte. */
#include "perf/load/frame_reader.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { RECORD = 32, STREAM_SIZE = 512 };

struct stream {
    uint8_t data[STREAM_SIZE];
    size_t len;
};

static void add_header(struct stream *stream, unsigned first, size_t len)
{
    stream->data[stream->len++] = (uint8_t)first;
    if (len < 126) {
        stream->data[stream->len++] = (uint8_t)len;
        return;
    }
    stream->data[stream->len++] = 126;
    stream->data[stream->len++] = (uint8_t)(len >> 8);
    stream->data[stream->len++] = (uint8_t)len;
}

static void add_bytes(struct stream *stream, const void *data, size_t len)
{
    memcpy(stream->data + stream->len, data, len);
    stream->len += len;
}

static void add_record(struct stream *stream, uint64_t sequence)
{
    struct stamp stamp = {.sent_ns = 7, .sequence = sequence, .run = 9, .topic = 3};
    uint8_t rest[RECORD - STAMP_SIZE] = {0};

    add_bytes(stream, &stamp, sizeof stamp);
    add_bytes(stream, rest, sizeof rest);
}

/* One letter per event: r record, m message, p ping, o pong, c close, x bad. */
static void events_of(const struct stream *stream, size_t step, char *text)
{
    struct frame_reader reader;
    uint64_t sequence = 0;

    frame_reader_init(&reader, RECORD);
    for (size_t at = 0; at < stream->len; at += step) {
        size_t len = stream->len - at < step ? stream->len - at : step;
        struct bytes input = bytes_of(stream->data + at, len);
        enum frame_reader_result result;

        while ((result = frame_reader_next(&reader, &input)) != FRAME_READER_MORE) {
            *text++ = "?rmpocx"[result];
            if (result == FRAME_READER_RECORD) {
                cr_assert_eq(reader.stamp.sequence, sequence++);
                cr_assert_eq(reader.stamp.run, 9);
                cr_assert_eq(reader.stamp.topic, 3);
            }
            if (result == FRAME_READER_BAD) {
                *text = '\0';
                return;
            }
        }
        cr_assert_eq(input.len, 0);
    }
    *text = '\0';
}

static void expect(const struct stream *stream, const char *expected)
{
    char text[STREAM_SIZE];

    for (size_t step = 1; step <= stream->len; step++) {
        events_of(stream, step, text);
        cr_assert_str_eq(text, expected, "step %zu: \"%s\", not \"%s\"", step, text, expected);
    }
}

Test(frame_reader, reads_one_record_per_message)
{
    struct stream stream = {.len = 0};

    for (uint64_t i = 0; i < 3; i++) {
        add_header(&stream, 0x82, RECORD);
        add_record(&stream, i);
    }
    expect(&stream, "rmrmrm");
}

Test(frame_reader, reads_records_merged_into_a_message)
{
    struct stream stream = {.len = 0};

    add_header(&stream, 0x82, 5 * RECORD); /* 160 bytes: the longer length */
    for (uint64_t i = 0; i < 5; i++) {
        add_record(&stream, i);
    }
    expect(&stream, "rrrrrm");
}

Test(frame_reader, reads_a_record_cut_into_fragments)
{
    struct stream stream = {.len = 0};
    struct stream record = {.len = 0};

    add_record(&record, 0);
    add_header(&stream, 0x02, 10);
    add_bytes(&stream, record.data, 10);
    add_header(&stream, 0x89, 2); /* control frames may come between fragments (§5.4) */
    add_bytes(&stream, "hi", 2);
    add_header(&stream, 0x00, RECORD - 10);
    add_bytes(&stream, record.data + 10, RECORD - 10);
    add_header(&stream, 0x80, 0);
    expect(&stream, "prm");
}

Test(frame_reader, tells_the_length_and_type_of_each_message)
{
    struct frame_reader reader;
    struct stream stream = {.len = 0};

    add_header(&stream, 0x81, RECORD + 1);
    add_record(&stream, 0);
    add_bytes(&stream, "x", 1);
    struct bytes input = bytes_of(stream.data, stream.len);

    frame_reader_init(&reader, RECORD);
    cr_assert_eq(frame_reader_next(&reader, &input), FRAME_READER_RECORD);
    cr_assert_eq(frame_reader_next(&reader, &input), FRAME_READER_MESSAGE);
    cr_assert_eq(reader.message_len, RECORD + 1);
    cr_assert_eq(reader.message_frames, 1);
    cr_assert_not(reader.is_binary);
}

Test(frame_reader, keeps_the_payload_of_a_ping)
{
    struct frame_reader reader;
    struct stream stream = {.len = 0};

    add_header(&stream, 0x8a, 0);
    add_header(&stream, 0x89, 5);
    add_bytes(&stream, "abcde", 5);
    add_header(&stream, 0x88, 2);
    add_bytes(&stream, "\x03\xe8", 2);
    expect(&stream, "opc");
    struct bytes input = bytes_of(stream.data, stream.len);

    frame_reader_init(&reader, RECORD);
    cr_assert_eq(frame_reader_next(&reader, &input), FRAME_READER_PONG);
    cr_assert_eq(reader.control_len, 0);
    cr_assert_eq(frame_reader_next(&reader, &input), FRAME_READER_PING);
    cr_assert_eq(reader.control_len, 5);
    cr_assert_arr_eq(reader.control, "abcde", 5);
}

Test(frame_reader, reads_the_longest_length)
{
    static const uint8_t header[] = {0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0};
    static uint8_t payload[65536];
    struct frame_reader reader;
    struct bytes input = bytes_of(header, sizeof header);

    frame_reader_init(&reader, sizeof payload);
    cr_assert_eq(frame_reader_next(&reader, &input), FRAME_READER_MORE);
    input = bytes_of(payload, sizeof payload);
    cr_assert_eq(frame_reader_next(&reader, &input), FRAME_READER_RECORD);
    cr_assert_eq(frame_reader_next(&reader, &input), FRAME_READER_MESSAGE);
    cr_assert_eq(reader.message_len, sizeof payload);
}

Test(frame_reader, rejects_what_a_server_must_not_send)
{
    static const struct {
        const char *what;
        uint8_t data[4];
        size_t len;
    } rows[] = {
        {"masked", {0x82, 0x81}, 2},
        {"reserved bit", {0xc2, 0x01}, 2},
        {"unknown opcode", {0x83, 0x01}, 2},
        {"unknown control opcode", {0x8b, 0x01}, 2},
        {"fragmented ping", {0x09, 0x01}, 2},
        {"long ping", {0x89, 126, 0, 126}, 4},
        {"continuation of nothing", {0x80, 0x00}, 2},
        {"message within a message", {0x02, 0x00, 0x82, 0x00}, 4},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct stream stream = {.len = 0};

        add_bytes(&stream, rows[i].data, rows[i].len);
        char text[STREAM_SIZE];

        events_of(&stream, stream.len, text);
        cr_assert_str_eq(text, "x", "%s: %s", rows[i].what, text);
    }
}

Test(frame_reader, rejects_a_bad_frame_after_good_ones)
{
    struct stream stream = {.len = 0};

    add_header(&stream, 0x82, RECORD);
    add_record(&stream, 0);
    add_header(&stream, 0x80, 0);
    expect(&stream, "rmx");
}
