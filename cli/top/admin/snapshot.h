/* The admin listener's /topics at one time. Owned by the caller; one thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

enum snapshot_limits { SNAPSHOT_NAME_SIZE = 256, SNAPSHOT_VERSION_SIZE = 64 };

struct snapshot_topic {
    char name[SNAPSHOT_NAME_SIZE];
    int64_t publishers, viewers;
    int64_t age_ms;                                        /* of its newest message; -1: none */
    int64_t messages_received, bytes_received, bytes_sent; /* since the start, as the next */
    int64_t lost;                                          /* by slow viewers */
};

struct snapshot {
    char version[SNAPSHOT_VERSION_SIZE];
    int64_t now_ms; /* the relay's monotonic time */
    int64_t started_s;
    int64_t connections, websockets, workers;
    size_t count;
    struct snapshot_topic *topics;
};

/* False, and nothing to release, when the text is no such answer. */
MUST_USE bool snapshot_read(struct bytes json, struct snapshot *ret_snapshot);

/* Harmless on a zeroed one. */
void snapshot_release(struct snapshot *snapshot);
