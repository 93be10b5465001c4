/* Fuzzes handover_reader_prelude, handover_reader_record, handover_reader_bytes and
 * handover_reader_number (server/handover/handover_reader.c), and handover_writer.c: the input is a
 * stream. What is read is written again as the same bytes, and the verdict of each record is the
 * same however much of the stream has come.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "server/handover/handover_format.h"
#include "server/handover/handover_reader.h"
#include "server/handover/handover_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_cuts(struct bytes record)
{
    struct handover_record read;
    size_t len;
    size_t step = record.len / 16 + 1;

    for (size_t cut = 0; cut < record.len; cut += step) {
        CHECK(handover_reader_record(bytes_of(record.data, cut), &read, &len) == HANDOVER_PARTIAL);
        CHECK(len > cut && len <= record.len);
    }
}

/* The fields that are sound, so that this walk needs no checks of its own. */
static void write_fields(struct handover_writer *writer, const struct handover_record *record)
{
    for (size_t at = 0; at < record->fields.len;) {
        const uint8_t *head = record->fields.data + at;
        uint16_t id = (uint16_t)(head[0] | head[1] << 8);
        struct bytes value;
        uint64_t number;

        CHECK(handover_reader_bytes(record, id, &value));
        CHECK(value.len == 0 || value.data == head + HANDOVER_FIELD_HEAD_BYTES);
        if (handover_reader_number(record, id, &number)) {
            handover_writer_number(writer, id, number);
        } else {
            CHECK(value.len != HANDOVER_NUMBER_BYTES);
            handover_writer_bytes(writer, id, value);
        }
        at += HANDOVER_FIELD_HEAD_BYTES + value.len;
    }
}

static void check_round_trip(struct bytes input, const struct handover_record *record)
{
    struct handover_writer writer;
    uint8_t *memory = malloc(input.len);

    CHECK(memory != NULL);
    handover_writer_init(&writer, memory, input.len);
    handover_writer_begin(&writer, record->kind, record->fds);
    write_fields(&writer, record);
    CHECK(handover_writer_end(&writer));
    CHECK(bytes_equal(bytes_of(memory, writer.len), input));
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_of(data, size);
    struct handover_record record;
    uint16_t version;
    size_t len;

    if (handover_reader_prelude(input, &version) == HANDOVER_READ) {
        input = bytes_skip(input, HANDOVER_PRELUDE_BYTES);
    }
    while (handover_reader_record(input, &record, &len) == HANDOVER_READ) {
        struct bytes whole = bytes_of(input.data, len);

        check_cuts(whole);
        check_round_trip(whole, &record);
        input = bytes_skip(input, len);
    }
    return 0;
}
