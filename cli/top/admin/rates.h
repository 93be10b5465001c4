/* Rows for people out of two snapshots: what each topic does in a second, in the order that was
 * asked for. Owned by the caller; one thread. */
#pragma once

#include <stdbool.h>

#include "cli/top/admin/snapshot.h"

enum sort_key {
    SORT_NAME,
    SORT_PUBLISHERS,
    SORT_VIEWERS,
    SORT_AGE,
    SORT_IN,
    SORT_OUT,
    SORT_MESSAGES,
    SORT_LOST,
    SORT_COUNT,
};

struct rate_row {
    const struct snapshot_topic *topic; /* of the later snapshot */
    bool known; /* the rates; false: it was not there before, or counts anew */
    double bytes_in, bytes_out, messages, lost; /* a second */
};

struct rates {
    struct rate_row *rows;
    size_t count;
    bool known;                                 /* of any row, or there was none before */
    double bytes_in, bytes_out, messages, lost; /* of all that are known */
};

/* before may be zeroed. Both snapshots must outlive the rates. False: no memory. */
MUST_USE bool rates_make(const struct snapshot *before, const struct snapshot *now,
                         struct rates *ret_rates);

/* Names rise, all else falls, ties by name; reversed, the other way round. */
void rates_sort(struct rates *rates, enum sort_key key, bool reverse);

/* Harmless on zeroed ones. */
void rates_release(struct rates *rates);
