#include "server/handover/live/live_scalars.h"

#include <string.h>

#include "base/check.h"

static uint64_t get(const void *object, const struct live_scalar *scalar)
{
    const uint8_t *member = (const uint8_t *)object + scalar->offset;
    uint32_t word;
    uint16_t half;
    uint64_t value;

    switch (scalar->size) {
    case 1:
        return *member;
    case 2:
        memcpy(&half, member, sizeof half);
        return half;
    case 4:
        memcpy(&word, member, sizeof word);
        return word;
    case 8:
        memcpy(&value, member, sizeof value);
        return value;
    default:
        UNREACHABLE();
    }
}

static void set(void *object, const struct live_scalar *scalar, uint64_t value)
{
    uint8_t *member = (uint8_t *)object + scalar->offset;
    uint32_t word = (uint32_t)value;
    uint16_t half = (uint16_t)value;

    switch (scalar->size) {
    case 1:
        *member = (uint8_t)value;
        return;
    case 2:
        memcpy(member, &half, sizeof half);
        return;
    case 4:
        memcpy(member, &word, sizeof word);
        return;
    case 8:
        memcpy(member, &value, sizeof value);
        return;
    default:
        UNREACHABLE();
    }
}

/* No time, in its kind. */
static bool is_none(const struct live_scalar *scalar, uint64_t time_ms)
{
    return time_ms == 0 || (scalar->kind == LIVE_DUE && time_ms == UINT64_MAX);
}

static bool is_time(const struct live_scalar *scalar)
{
    return scalar->kind == LIVE_PAST || scalar->kind == LIVE_DUE;
}

/* So much is the monotonic clock ahead; modulo 2^64. */
static uint64_t ahead_ms(const struct worker *worker)
{
    return worker->looked_ms - worker->now_ms;
}

void live_scalars_write(struct handover_writer *writer, const struct live_scalar *scalars,
                        size_t count, const void *object, const struct worker *worker)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = get(object, &scalars[i]);

        if (is_time(&scalars[i]) && !is_none(&scalars[i], value)) {
            value += ahead_ms(worker);
        }
        handover_writer_number(writer, scalars[i].id, value);
    }
}

/* Owners of times that are over count on it. */
static uint64_t time_of(const struct live_scalar *scalar, uint64_t value,
                        const struct worker *worker)
{
    uint64_t time_ms = is_none(scalar, value) ? value : value - ahead_ms(worker);

    return scalar->kind == LIVE_PAST && time_ms > worker->now_ms ? worker->now_ms : time_ms;
}

static bool is_within(const struct live_scalar *scalar, uint64_t value)
{
    uint64_t size_max = scalar->size == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * scalar->size) - 1;
    uint64_t magnitude =
        scalar->kind == LIVE_SIGNED && (int64_t)value < 0 ? UINT64_C(0) - value : value;

    return magnitude <= scalar->max && (scalar->kind == LIVE_SIGNED || value <= size_max);
}

bool live_scalars_read(const struct handover_record *record, const struct live_scalar *scalars,
                       size_t count, void *object, const struct worker *worker)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value;

        if (!handover_reader_number(record, scalars[i].id, &value)) {
            continue;
        }
        if (!is_within(&scalars[i], value)) {
            return false;
        }
        set(object, &scalars[i],
            is_time(&scalars[i]) ? time_of(&scalars[i], value, worker) : value);
    }
    return true;
}
