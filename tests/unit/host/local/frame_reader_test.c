/* Goal: frames of clients become messages and control frames, faults have their code and words, and
 * cuts change nothing. Method: frames written here, with a mask. */
#include "host/local/frame_reader.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/ws_mask.h"

static size_t frame_write(uint8_t *out, unsigned first, const char *payload)
{
    static const uint8_t mask[4] = {1, 2, 3, 4};
    size_t len = strlen(payload);

    out[0] = (uint8_t)first;
    out[1] = (uint8_t)(0x80 | len);
    memcpy(out + 2, mask, 4);
    ws_mask_copy(out + 6, (const uint8_t *)payload, len, mask, 0);
    return len + 6;
}

/* What the events say, in one line. */
static void describe(struct bytes all, size_t step, char *line, size_t size)
{
    static const char letters[] = {
        [FRAME_READER_MESSAGE] = 'M', [FRAME_READER_PING] = 'I', [FRAME_READER_PONG] = 'O'};
    enum frame_reader_event event = FRAME_READER_MORE;
    struct frame_reader reader;
    size_t budget = PARCEL_BYTES_MAX;
    size_t len = 0;

    frame_reader_init(&reader, &budget);
    line[0] = '\0';
    while (all.len > 0 && event < FRAME_READER_CLOSE) {
        struct bytes piece = bytes_of(all.data, all.len < step ? all.len : step);

        all = bytes_skip(all, piece.len);
        while ((event = frame_reader_next(&reader, &piece)) != FRAME_READER_MORE &&
               event < FRAME_READER_CLOSE) {
            len += (size_t)snprintf(line + len, size - len, "%c%d:%.*s ", letters[event],
                                    event == FRAME_READER_MESSAGE ? (int)reader.type : 0,
                                    (int)reader.content.len, (const char *)reader.content.data);
        }
    }
    if (event >= FRAME_READER_CLOSE) {
        snprintf(line + len, size - len, "%d %s", reader.close_code, reader.reason);
    }
    frame_reader_deinit(&reader);
    cr_assert_eq(budget, PARCEL_BYTES_MAX, "given back");
}

static void expect(struct bytes all, const char *wanted)
{
    for (size_t step = 1; step < 100; step += 11) {
        char line[256];

        describe(all, step, line, sizeof line);
        cr_assert_str_eq(line, wanted, "step %zu", step);
    }
}

Test(frame_reader, gives_messages_and_what_stands_between_their_fragments)
{
    uint8_t all[256];
    size_t len = 0;

    len += frame_write(all + len, 0x81, "text");
    len += frame_write(all + len, 0x02, "bin");
    len += frame_write(all + len, 0x89, "ping");
    len += frame_write(all + len, 0x00, "a");
    len += frame_write(all + len, 0x80, "ry");
    len += frame_write(all + len, 0x8a, "");
    len += frame_write(all + len, 0x82, "");
    len += frame_write(all + len, 0x88,
                       "\x03\xe8"
                       "bye");
    expect(bytes_of(all, len), "M1:text I0:ping M2:binary O0: M2: 1000 ");
}

Test(frame_reader, names_faults_as_theirs)
{
    static const struct {
        unsigned first;
        const char *payload, *wanted;
    } cases[] = {
        {0x83, "", "1002 bad opcode 3"},
        {0xc1, "", "1002 RSV1 set"},
        {0x80, "", "1002 continuation after FIN"},
        {0x09, "", "1002 FIN not set on control"},
        {0x88, "x", "1002 "},
        {0x88, "\x03\xed", "1002 bad close code 1005"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t all[64];
        char line[256];

        describe(bytes_of(all, frame_write(all, cases[i].first, cases[i].payload)), 100, line,
                 sizeof line);
        cr_assert_eq(strncmp(line, cases[i].wanted, strlen(cases[i].wanted)), 0, "%s", line);
    }
    expect(bytes_of("\x81\x01x", 3), "1002 bad MASK");
}

Test(frame_reader, bounds_a_message_by_what_its_fragments_announce)
{
    /* 10 MiB and one byte. */
    static const uint8_t too_long[] = {0x82, 0xff, 0, 0, 0, 0, 0, 0xa0, 0, 1, 1, 2, 3, 4};

    expect(bytes_of(too_long, sizeof too_long), "1009 ");
}

Test(frame_reader, takes_no_more_memory_than_its_budget)
{
    uint8_t all[64];
    struct bytes input = bytes_of(all, frame_write(all, 0x82, "some bytes"));
    struct frame_reader reader;
    size_t budget = 100;

    frame_reader_init(&reader, &budget);
    cr_assert_eq(frame_reader_next(&reader, &input), FRAME_READER_FAULT);
    cr_assert_eq(reader.close_code, WS_CLOSE_TRY_AGAIN_LATER);
    frame_reader_deinit(&reader);
    cr_assert_eq(budget, 100);
}
