/* The connections of a relay, as the admin listener's /status has them. Owned by the caller; one
 * thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "cli/top/admin/rates.h"

struct connection_row {
    char *topic, *address, *agent;
    bool can_read, can_write;
    int64_t connected_s, expires_s; /* since 1970; 0: not told */
    int64_t lost;                   /* messages that it was too slow for */
};

struct connections {
    struct connection_row *rows;
    size_t count;
};

/* False, and nothing to release, when the text is no report, or there is no memory. */
MUST_USE bool connections_read(struct bytes json, struct connections *ret_connections);

/* Topics rise, and in each the time of connection; SORT_AGE: the oldest first; SORT_LOST: the most
 * first. */
void connections_sort(struct connections *connections, enum sort_key key, bool reverse);

/* Harmless on zeroed ones. */
void connections_release(struct connections *connections);
