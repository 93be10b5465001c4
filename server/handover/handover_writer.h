/* Writes the stream of handover_format.h into memory of the caller, which may grow. What does not
 * fit is left out, and told at the end of its record: then the record is none, and the memory
 * before it stands. One thread at a time; never blocks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

struct handover_writer {
    uint8_t *memory; /* borrowed */
    size_t size, len;
    size_t record_at; /* while one is open */
    uint32_t last_id; /* of the open record, plus one; 0: it has no field yet */
    bool is_open, is_full;

    /* Behind the memory there is more: makes size so large that so many bytes fit, or says why not
     * (-errno). NULL: there is none. */
    int (*grow)(struct handover_writer *writer, size_t more);
    void *context; /* of grow */
    int failed;    /* what it said */
};

void handover_writer_init(struct handover_writer *writer, void *memory, size_t size);

/* False: it does not fit. */
MUST_USE bool handover_writer_prelude(struct handover_writer *writer);

/* A record of that kind, to which so many descriptors belong. CHECKs that none is open. */
void handover_writer_begin(struct handover_writer *writer, uint16_t kind, uint16_t fds);

/* CHECKs that ids ascend within the record. */
void handover_writer_number(struct handover_writer *writer, uint16_t id, uint64_t value);
void handover_writer_bytes(struct handover_writer *writer, uint16_t id, struct bytes bytes);

/* False: the record did not fit, or is longer than HANDOVER_RECORD_BYTES_MAX. */
MUST_USE bool handover_writer_end(struct handover_writer *writer);
