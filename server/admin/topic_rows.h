/* A copy of what is counted of each topic, so that it can be written without holding up those that
 * join. Owned by the caller; one thread. */
#pragma once

#include "server/hub/topic.h"

struct topic_row {
    char name[TOPIC_NAME_SIZE];
    struct topic_counts counts;
};

struct topic_rows {
    unsigned count;
    struct topic_row rows[];
};

/* Rows in the order of their places, that of the others last. NULL: no memory. */
MUST_USE struct topic_rows *topic_rows_copy(struct topic_registry *registry);

/* The age of the topic's newest message. False: it had none. */
bool topic_rows_age_ms(const struct topic_row *row, uint64_t now_ms, uint64_t *ret_age_ms);
