#include "server/admin/topic_rows.h"

#include <stdlib.h>
#include <string.h>

struct topic_rows *topic_rows_copy(struct topic_registry *registry)
{
    unsigned rows_max = topic_counts_rows(registry->counts); /* never changes */
    struct topic_rows *copy = calloc(1, sizeof *copy + rows_max * sizeof copy->rows[0]);

    if (copy == NULL) {
        return NULL;
    }
    pthread_mutex_lock(&registry->mutex);
    for (unsigned i = 0; i < rows_max; i++) {
        struct topic_row *row = &copy->rows[copy->count];
        const char *name;

        if (topic_counts_read(registry->counts, i, &name, &row->counts)) {
            memcpy(row->name, name, strlen(name) + 1);
            copy->count++;
        }
    }
    pthread_mutex_unlock(&registry->mutex);
    return copy;
}

bool topic_rows_age_ms(const struct topic_row *row, uint64_t now_ms, uint64_t *ret_age_ms)
{
    uint64_t received_ms = atomic_load_explicit(&row->counts.received_ms, memory_order_relaxed);

    if (received_ms == 0) {
        return false;
    }
    *ret_age_ms = now_ms > received_ms ? now_ms - received_ms : 0;
    return true;
}
