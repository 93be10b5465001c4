#include "server/stats/topic_counts.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define NAME_OF_OTHERS "other"

struct row {
    char name[TOPIC_COUNTS_NAME_SIZE]; /* "": never used */
    uint32_t users;                    /* 1 while its topic is there; of the last row all others */
    uint64_t left;                     /* when its topic ended, in the order of ends */
};

struct topic_counts_table {
    unsigned named_max, workers_count;
    uint64_t left_last;
    struct row *rows;            /* named_max, and that of the others */
    struct topic_counts *counts; /* workers_count for each row */
};

struct topic_counts_table *topic_counts_create(unsigned named_max, unsigned workers_count)
{
    struct topic_counts_table *table = calloc(1, sizeof *table);
    size_t rows = named_max + 1u;
    size_t size = rows * workers_count * sizeof(struct topic_counts);

    CHECK(named_max <= TOPIC_COUNTS_NAMED_MAX && workers_count > 0);
    if (table == NULL) {
        return NULL;
    }
    *table = (struct topic_counts_table){.named_max = named_max,
                                         .workers_count = workers_count,
                                         .rows = calloc(rows, sizeof(struct row)),
                                         .counts = aligned_alloc(64, size)};
    if (table->rows == NULL || table->counts == NULL) {
        topic_counts_destroy(table);
        return NULL;
    }
    memset(table->counts, 0, size);
    memcpy(table->rows[named_max].name, NAME_OF_OTHERS, sizeof NAME_OF_OTHERS);
    return table;
}

void topic_counts_destroy(struct topic_counts_table *table)
{
    if (table != NULL) {
        free(table->rows);
        free(table->counts);
        free(table);
    }
}

/* The one of that name, else one never used, else the one that has been idle the longest, else that
 * of the others. */
static unsigned find_row(const struct topic_counts_table *table, const char *name)
{
    unsigned best = table->named_max;
    uint64_t best_left = UINT64_MAX;
    /* A topic of the name of the others counts among them. */
    unsigned rows = strcmp(name, NAME_OF_OTHERS) == 0 ? 0 : table->named_max;

    for (unsigned i = 0; i < rows; i++) {
        const struct row *row = &table->rows[i];

        if (row->users == 0 && strcmp(row->name, name) == 0) {
            return i;
        }
        if (row->users == 0 && row->left < best_left) {
            best = i;
            best_left = row->left;
        }
    }
    return best;
}

unsigned topic_counts_take(struct topic_counts_table *table, const char *name)
{
    if (table == NULL) {
        return 0;
    }
    unsigned index = find_row(table, name);
    struct row *row = &table->rows[index];

    row->users++;
    if (index == table->named_max || strcmp(row->name, name) == 0) {
        return index;
    }
    CHECK(row->users == 1 && strlen(name) < sizeof row->name);
    memcpy(row->name, name, strlen(name) + 1);
    /* No topic has it, so no worker counts in it. */
    memset(topic_counts_of(table, index, 0), 0, table->workers_count * sizeof(struct topic_counts));
    return index;
}

void topic_counts_put(struct topic_counts_table *table, unsigned row)
{
    if (table != NULL) {
        CHECK(table->rows[row].users > 0);
        table->rows[row].users--;
        table->rows[row].left = ++table->left_last;
    }
}

struct topic_counts *topic_counts_of(struct topic_counts_table *table, unsigned row,
                                     unsigned worker)
{
    if (table == NULL) {
        return NULL;
    }
    CHECK(row <= table->named_max && worker < table->workers_count);
    return &table->counts[(size_t)row * table->workers_count + worker];
}

unsigned topic_counts_rows(const struct topic_counts_table *table)
{
    return table == NULL ? 0 : table->named_max + 1;
}

bool topic_counts_read(const struct topic_counts_table *table, unsigned row, const char **ret_name,
                       struct topic_counts *ret_sum)
{
    struct topic_counts sum = {0};

    if (table->rows[row].name[0] == '\0') {
        return false;
    }
    for (unsigned i = 0; i < table->workers_count; i++) {
        const struct topic_counts *part = &table->counts[(size_t)row * table->workers_count + i];
        uint64_t received_ms = atomic_load_explicit(&part->received_ms, memory_order_relaxed);

#define TOPIC_COUNTERS_ADD(name, ...)                                                              \
    topic_counts_add(&sum, name, atomic_load_explicit(&part->name, memory_order_relaxed));
        TOPIC_COUNTERS(TOPIC_COUNTERS_ADD)
#undef TOPIC_COUNTERS_ADD
        topic_counts_add(&sum, viewers, atomic_load_explicit(&part->viewers, memory_order_relaxed));
        topic_counts_add(&sum, publishers,
                         atomic_load_explicit(&part->publishers, memory_order_relaxed));
        if (received_ms > atomic_load_explicit(&sum.received_ms, memory_order_relaxed)) {
            atomic_store_explicit(&sum.received_ms, received_ms, memory_order_relaxed);
        }
    }
    *ret_name = table->rows[row].name;
    memcpy(ret_sum, &sum, sizeof sum);
    return true;
}

void topic_counts_enter(struct topic_counts *counts, bool is_viewer, bool is_publisher)
{
    topic_counts_add(counts, viewers, is_viewer);
    topic_counts_add(counts, publishers, is_publisher);
}

void topic_counts_leave(struct topic_counts *counts, bool is_viewer, bool is_publisher)
{
    topic_counts_add(counts, viewers, -(uint64_t)is_viewer);
    topic_counts_add(counts, publishers, -(uint64_t)is_publisher);
}

void topic_counts_receive(struct topic_counts *counts, uint64_t bytes, uint64_t now_ms)
{
    topic_counts_add(counts, messages_received, 1);
    topic_counts_add(counts, bytes_received, bytes);
    if (counts != NULL) {
        atomic_store_explicit(&counts->received_ms, now_ms, memory_order_relaxed);
    }
}
