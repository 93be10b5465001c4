/* Goal: what is written is read again; what does not fit leaves no half record behind. */
#include "server/handover/handover_writer.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#include "server/handover/handover_format.h"
#include "server/handover/handover_reader.h"

static uint8_t memory[4096];
static struct handover_writer writer;

static void begin(void)
{
    memset(memory, 0xee, sizeof memory);
    handover_writer_init(&writer, memory, sizeof memory);
}

TestSuite(handover_writer, .init = begin);

static void write_record(void)
{
    handover_writer_begin(&writer, 7, 2);
    handover_writer_number(&writer, 1, UINT64_MAX);
    handover_writer_bytes(&writer, 3, bytes_of_text("topic"));
    handover_writer_bytes(&writer, UINT16_MAX, bytes_of(NULL, 0));
}

Test(handover_writer, numbers_are_little_endian_at_fixed_places)
{
    static const uint8_t expected[] = {
        'R', 'E', 'L', 'A', 'Y', 'H', 'N', 'D', 1, 0, 1, 0, 0, 0, 0, 0, /* prelude */
        2,   1,   1,   0,   16,  0,   0,   0, /* kind 0x102, 1, 16 bytes */
        5,   0,   0,   0,   8,   0,   0,   0,   8, 7, 6, 5, 4, 3, 2, 1, /* field 5 */
    };

    cr_assert(handover_writer_prelude(&writer));
    handover_writer_begin(&writer, 0x102, 1);
    handover_writer_number(&writer, 5, UINT64_C(0x0102030405060708));
    cr_assert(handover_writer_end(&writer));
    cr_assert_eq(writer.len, sizeof expected);
    cr_assert_arr_eq(memory, expected, sizeof expected);
}

Test(handover_writer, what_is_written_is_read_again)
{
    struct handover_record record;
    struct bytes value;
    uint64_t number;
    size_t len;

    write_record();
    cr_assert(handover_writer_end(&writer));
    cr_assert_eq(handover_reader_record(bytes_of(memory, writer.len), &record, &len),
                 HANDOVER_READ);
    cr_assert_eq(len, writer.len);
    cr_assert_eq(record.kind, 7);
    cr_assert_eq(record.fds, 2);
    cr_assert(handover_reader_number(&record, 1, &number));
    cr_assert_eq(number, UINT64_MAX);
    cr_assert(handover_reader_bytes(&record, 3, &value));
    cr_assert(bytes_equal_text(value, "topic"));
    cr_assert(handover_reader_bytes(&record, UINT16_MAX, &value));
    cr_assert_eq(value.len, 0);
}

Test(handover_writer, record_that_does_not_fit_leaves_what_was_before_it)
{
    write_record();
    cr_assert(handover_writer_end(&writer));
    size_t whole = writer.len;

    for (size_t size = whole; size < 2 * whole; size++) {
        begin();
        writer.size = size;
        write_record();
        cr_assert(handover_writer_end(&writer));
        write_record();
        cr_assert_not(handover_writer_end(&writer), "%zu", size);
        cr_assert_eq(writer.len, whole);
        for (size_t i = whole; i < size; i++) {
            cr_assert(memory[i] == 0 || memory[i] == 0xee, "%zu: a secret stays", i);
        }
    }
    writer.size = 2 * whole;
    write_record();
    cr_assert(handover_writer_end(&writer));
}

Test(handover_writer, no_record_is_longer_than_a_reader_takes)
{
    static uint8_t large[HANDOVER_RECORD_BYTES_MAX + 1];
    static uint8_t room[2 * HANDOVER_RECORD_BYTES_MAX];
    const size_t most = HANDOVER_RECORD_BYTES_MAX - HANDOVER_FIELD_HEAD_BYTES;

    for (size_t len = most - 1; len <= sizeof large;
         len += len == most + 1 ? sizeof large - len : 1) {
        handover_writer_init(&writer, room, sizeof room);
        handover_writer_begin(&writer, 1, 0);
        handover_writer_bytes(&writer, 0, bytes_of(large, len));
        cr_assert_eq(handover_writer_end(&writer), len <= most, "%zu", len);
        if (len == sizeof large) {
            break;
        }
    }
}

Test(handover_writer, ids_ascend, .signal = SIGABRT)
{
    handover_writer_begin(&writer, 1, 0);
    handover_writer_number(&writer, 2, 0);
    handover_writer_number(&writer, 2, 0);
}
