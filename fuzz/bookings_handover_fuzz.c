/* Fuzzes bookings_handover_read and bookings_handover_read_denial
 * (server/bookings/bookings_handover.c): the input is a stream, of whatever a program sends that
 * takes itself for a relay. Lists and codes stay within their bounds, and what was read is written
 * again.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "server/bookings/bookings_handover.h"
#include "server/handover/handover_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BOOKINGS_MAX = 16, CODES_MAX = 16, TTL_MS = 1000, NOW_S = 1000, NOW_MS = 5000 };

static void read_all(struct bookings *bookings, struct code_store *codes, struct bytes input)
{
    struct handover_walk walk;
    struct handover_record record;
    char denied[TOKEN_TEXT_SIZE];
    int64_t exp_s;

    if (!handover_reader_begin(&walk, input)) {
        return;
    }
    while (handover_reader_next(&walk, &record)) {
        int failed = bookings_handover_read(bookings, codes, &record, NOW_MS, NOW_S);

        CHECK(failed == 0 || failed == -EINVAL || failed == -ENOSPC);
        bool is_denial = bookings_handover_read_denial(&record, denied, &exp_s);

        CHECK(!is_denial || record.kind == HANDOVER_DENIED);
    }
}

static void write_all(struct bookings *bookings, struct code_store *codes)
{
    size_t size = bookings_handover_size(bookings, codes) + HANDOVER_PRELUDE_BYTES;
    struct handover_writer writer;
    uint8_t *memory = malloc(size);

    CHECK(memory != NULL);
    handover_writer_init(&writer, memory, size);
    CHECK(handover_writer_prelude(&writer));
    CHECK(bookings_handover_write(bookings, codes, NOW_MS, NOW_S, &writer));
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct code_store *codes = code_store_create(CODES_MAX, TTL_MS);
    struct bookings *bookings = codes == NULL ? NULL : bookings_create(BOOKINGS_MAX, codes);

    CHECK(bookings != NULL);
    read_all(bookings, codes, bytes_of(data, size));
    CHECK(code_store_count(codes) <= CODES_MAX);
    write_all(bookings, codes);
    bookings_destroy(bookings);
    code_store_destroy(codes);
    return 0;
}
