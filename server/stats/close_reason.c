#include "server/stats/close_reason.h"

static const struct row {
    const char *text;
    size_t counter; /* offset, or NOT_COUNTED */
    uint16_t code;
} rows[CLOSE_REASON_COUNT] = {
#define CLOSE_REASON_ROW(reason, text, counter, code) [reason] = {text, counter, code},
    CLOSE_REASONS(CLOSE_REASON_ROW)
#undef CLOSE_REASON_ROW
};

const char *close_reason_text(enum close_reason reason)
{
    return rows[reason].text;
}

uint16_t close_reason_code(enum close_reason reason)
{
    return rows[reason].code;
}

void close_reason_count(enum close_reason reason, struct counters *counters)
{
    if (rows[reason].counter != NOT_COUNTED) {
        _Atomic uint64_t *counter = (void *)((char *)counters + rows[reason].counter);

        atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                              memory_order_relaxed);
    }
}
