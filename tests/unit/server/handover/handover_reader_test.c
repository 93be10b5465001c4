/* Goal: whatever stands in the stream, it ends in a verdict; a newer program's fields are skipped.
 * Method: streams written by hand, cut at each byte, and spoilt. */
#include "server/handover/handover_reader.h"

#include <criterion/criterion.h>
#include <string.h>

#include "server/handover/handover_format.h"
#include "server/handover/handover_writer.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static const uint8_t sound[] = {
    9, 0, 0, 0, 33, 0, 0, 0,                           /* kind 9 */
    1, 0, 0, 0, 8,  0, 0, 0, 42,  0, 0, 0, 0, 0, 0, 0, /* a number */
    2, 0, 0, 0, 1,  0, 0, 0, 'x',                      /* a text */
    4, 0, 0, 0, 0,  0, 0, 0,                           /* nothing */
};

Test(handover_reader, prelude_tells_who_can_read_it)
{
    static const struct {
        const char *what;
        uint8_t bytes[HANDOVER_PRELUDE_BYTES];
        size_t len;
        enum handover_read expected;
    } rows[] = {
        {"nothing yet", "", 0, HANDOVER_PARTIAL},
        {"its first byte", "R", 1, HANDOVER_PARTIAL},
        {"all but the last", "RELAYHND\1\0\1\0\0\0\0", 15, HANDOVER_PARTIAL},
        {"this version", "RELAYHND\1\0\1\0\0\0\0", 16, HANDOVER_READ},
        {"a newer one that can be read", "RELAYHND\5\0\1\0\0\0\0", 16, HANDOVER_READ},
        {"a newer one that cannot", "RELAYHND\5\0\2\0\0\0\0", 16, HANDOVER_REFUSED},
        {"none", "RELAYHND\0\0\0\0\0\0\0", 16, HANDOVER_REFUSED},
        {"an impossible one", "RELAYHND\1\0\2\0\0\0\0", 16, HANDOVER_REFUSED},
        {"another program", "GET / HT", 8, HANDOVER_REFUSED},
        {"another program's first byte", "G", 1, HANDOVER_REFUSED},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint16_t version = 0;

        cr_assert_eq(handover_reader_prelude(bytes_of(rows[i].bytes, rows[i].len), &version),
                     rows[i].expected, "%s", rows[i].what);
        cr_assert_eq(version, rows[i].expected == HANDOVER_READ ? rows[i].bytes[8] : 0);
    }
}

Test(handover_reader, record_that_is_cut_anywhere_wants_more)
{
    struct handover_record record;
    size_t len;

    for (size_t cut = 0; cut < sizeof sound; cut++) {
        cr_assert_eq(handover_reader_record(bytes_of(sound, cut), &record, &len), HANDOVER_PARTIAL);
        cr_assert_eq(len,
                     cut < HANDOVER_RECORD_HEAD_BYTES ? HANDOVER_RECORD_HEAD_BYTES : sizeof sound);
    }
    cr_assert_eq(handover_reader_record(bytes_of(sound, sizeof sound), &record, &len),
                 HANDOVER_READ);
    cr_assert_eq(len, sizeof sound);
}

Test(handover_reader, fields_that_are_not_there_or_no_numbers_are_told)
{
    struct handover_record record;
    struct bytes bytes;
    uint64_t number;
    size_t len;

    cr_assert_eq(handover_reader_record(bytes_of(sound, sizeof sound), &record, &len),
                 HANDOVER_READ);
    cr_assert(handover_reader_number(&record, 1, &number));
    cr_assert_eq(number, 42);
    cr_assert_not(handover_reader_number(&record, 2, &number), "a text");
    cr_assert_not(handover_reader_number(&record, 4, &number), "nothing");
    for (uint16_t id = 0; id < 8; id++) {
        cr_assert_eq(handover_reader_bytes(&record, id, &bytes), id == 1 || id == 2 || id == 4);
    }
    cr_assert_not(handover_reader_bytes(&record, UINT16_MAX, &bytes));
}

Test(handover_reader, unsound_records_are_refused)
{
    const struct {
        const char *what;
        const uint8_t *bytes;
        size_t len;
    } rows[] = {
        {"more descriptors than one message has", BYTES(1, 0, 254, 0, 0, 0, 0, 0)},
        {"longer than any", BYTES(1, 0, 0, 0, 1, 0, 0, 1)},
        {"a cut head of a field", BYTES(1, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0)},
        {"a field beyond the record", BYTES(1, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)},
        {"a field that is nearly endless",
         BYTES(1, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255)},
        {"zeros that are none", BYTES(1, 0, 0, 0, 8, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0)},
        {"a field twice",
         BYTES(1, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0)},
        {"fields in disorder",
         BYTES(1, 0, 0, 0, 16, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0)},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct handover_record record;
        size_t len;

        cr_assert_eq(handover_reader_record(bytes_of(rows[i].bytes, rows[i].len), &record, &len),
                     HANDOVER_REFUSED, "%s", rows[i].what);
    }
}

Test(handover_reader, walk_goes_over_all_records_and_tells_a_rest)
{
    uint8_t stream[HANDOVER_PRELUDE_BYTES + 2 * sizeof sound + 1] = "RELAYHND\1\0\1";
    struct handover_record record;
    struct handover_walk walk;

    memcpy(stream + HANDOVER_PRELUDE_BYTES, sound, sizeof sound);
    memcpy(stream + HANDOVER_PRELUDE_BYTES + sizeof sound, sound, sizeof sound);
    for (size_t len = HANDOVER_PRELUDE_BYTES; len <= sizeof stream; len++) {
        size_t whole = (len - HANDOVER_PRELUDE_BYTES) / sizeof sound;
        size_t count = 0;

        cr_assert(handover_reader_begin(&walk, bytes_of(stream, len)));
        while (handover_reader_next(&walk, &record)) {
            cr_assert_eq(record.kind, 9);
            count++;
        }
        cr_assert_eq(count, whole);
        cr_assert_eq(handover_reader_is_whole(&walk),
                     (len - HANDOVER_PRELUDE_BYTES) % sizeof sound == 0);
    }
    cr_assert_not(handover_reader_begin(&walk, bytes_of(stream, HANDOVER_PRELUDE_BYTES - 1)));
}

Test(handover_reader, each_of_many_fields_is_found)
{
    enum { FIELDS = 400 };
    static uint8_t memory[FIELDS * 32];
    struct handover_writer writer;
    struct handover_record record;
    uint64_t value;
    size_t len;

    handover_writer_init(&writer, memory, sizeof memory);
    handover_writer_begin(&writer, 1, 0);
    for (unsigned i = 0; i < FIELDS; i++) {
        handover_writer_number(&writer, (uint16_t)(i * 3 + 1), i);
    }
    cr_assert(handover_writer_end(&writer));
    cr_assert_eq(handover_reader_record(bytes_of(memory, writer.len), &record, &len),
                 HANDOVER_READ);
    for (unsigned id = 0; id < 3 * FIELDS + 3; id++) {
        bool is_there = id % 3 == 1 && id < 3 * FIELDS;

        cr_assert_eq(handover_reader_number(&record, (uint16_t)id, &value), is_there, "%u", id);
        cr_assert(!is_there || value == id / 3);
    }
}
