/* Members of a struct that are fields of a record, by a table: numbers, and times of the run clock,
 * which the two programs count from different moments. What a record does not have stays as it is;
 * what is out of its bounds makes the record none. Pure but for the worker's clock. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "server/handover/handover_reader.h"
#include "server/handover/handover_writer.h"
#include "server/loop/worker.h"

struct live_scalar {
    uint16_t id, offset;
    uint8_t size;
    enum live_scalar_kind {
        LIVE_NUMBER, /* up to max */
        LIVE_SIGNED, /* its absolute value is */
        LIVE_PAST,   /* a time that is over; 0: none */
        LIVE_DUE,    /* one that may not be; 0 and UINT64_MAX: none */
    } kind : 8;
    uint64_t max;
};

#define LIVE_SCALAR(type, member, id, kind, max)                                                   \
    {                                                                                              \
        (id), offsetof(type, member), sizeof(((type *)NULL)->member), (kind), (max)                \
    }
#define LIVE_SCALAR_NUMBER(type, member, id, max) LIVE_SCALAR(type, member, id, LIVE_NUMBER, max)

#define LIVE_SCALAR_BOOL(type, member, id) LIVE_SCALAR(type, member, id, LIVE_NUMBER, 1)

#define LIVE_SCALAR_COUNT(type, member, id) LIVE_SCALAR(type, member, id, LIVE_NUMBER, UINT64_MAX)

#define LIVE_SCALAR_PAST(type, member, id) LIVE_SCALAR(type, member, id, LIVE_PAST, UINT64_MAX)

#define LIVE_SCALAR_DUE(type, member, id) LIVE_SCALAR(type, member, id, LIVE_DUE, UINT64_MAX)

/* In the order of their ids, which ascend. */
void live_scalars_write(struct handover_writer *writer, const struct live_scalar *scalars,
                        size_t count, const void *object, const struct worker *worker);

/* False: one is out of its bounds. */
MUST_USE bool live_scalars_read(const struct handover_record *record,
                                const struct live_scalar *scalars, size_t count, void *object,
                                const struct worker *worker);
