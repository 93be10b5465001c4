#include "cli/top/admin/rates.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *left, const void *right)
{
    const struct snapshot_topic *const *a = left, *const *b = right;

    return strcmp((*a)->name, (*b)->name);
}

/* For bsearch. NULL: no memory. */
static const struct snapshot_topic **sorted_topics(const struct snapshot *snapshot)
{
    const struct snapshot_topic **list = calloc(snapshot->count + 1, sizeof(*list));

    for (size_t i = 0; list != NULL && i < snapshot->count; i++) {
        list[i] = &snapshot->topics[i];
    }
    if (list != NULL) {
        qsort(list, snapshot->count, sizeof(*list), by_name);
    }
    return list;
}

/* A counter that fell belongs to another topic of that name, or another relay. */
static bool went_on(const struct snapshot_topic *before, const struct snapshot_topic *now)
{
    return now->messages_received >= before->messages_received &&
           now->bytes_received >= before->bytes_received && now->bytes_sent >= before->bytes_sent &&
           now->lost >= before->lost;
}

static void fill(struct rate_row *row, const struct snapshot_topic *before, double seconds)
{
    const struct snapshot_topic *now = row->topic;

    if (before == NULL || seconds <= 0 || !went_on(before, now)) {
        return;
    }
    row->known = true;
    row->bytes_in = (double)(now->bytes_received - before->bytes_received) / seconds;
    row->bytes_out = (double)(now->bytes_sent - before->bytes_sent) / seconds;
    row->messages = (double)(now->messages_received - before->messages_received) / seconds;
    row->lost = (double)(now->lost - before->lost) / seconds;
}

static void add(struct rates *rates, const struct rate_row *row)
{
    rates->known |= row->known;
    rates->bytes_in += row->bytes_in;
    rates->bytes_out += row->bytes_out;
    rates->messages += row->messages;
    rates->lost += row->lost;
}

bool rates_make(const struct snapshot *before, const struct snapshot *now, struct rates *ret_rates)
{
    bool is_same_relay = before->started_s == now->started_s && before->now_ms < now->now_ms;
    double seconds = is_same_relay ? (double)(now->now_ms - before->now_ms) / 1000 : 0;
    const struct snapshot_topic **list = sorted_topics(before);

    *ret_rates = (struct rates){.rows = calloc(now->count + 1, sizeof *ret_rates->rows),
                                .known = is_same_relay};
    if (list == NULL || ret_rates->rows == NULL) {
        free(list);
        rates_release(ret_rates);
        return false;
    }
    for (size_t i = 0; i < now->count; i++) {
        struct rate_row *row = &ret_rates->rows[ret_rates->count++];
        const struct snapshot_topic *topic = &now->topics[i];
        const struct snapshot_topic **found =
            bsearch(&topic, list, before->count, sizeof(*list), by_name);

        row->topic = topic;
        fill(row, found == NULL ? NULL : *found, seconds);
        add(ret_rates, row);
    }
    free(list);
    return true;
}

static double value(const struct rate_row *row, enum sort_key key)
{
    switch (key) {
    case SORT_PUBLISHERS:
        return (double)row->topic->publishers;
    case SORT_VIEWERS:
        return (double)row->topic->viewers;
    case SORT_AGE:
        return (double)row->topic->age_ms;
    case SORT_IN:
        return row->bytes_in;
    case SORT_OUT:
        return row->bytes_out;
    case SORT_MESSAGES:
        return row->messages;
    case SORT_LOST:
        return (double)row->topic->lost;
    default:
        return 0;
    }
}

struct order {
    enum sort_key key;
    int sign;
};

static int compare(const void *left, const void *right, void *context)
{
    const struct rate_row *a = left, *b = right;
    const struct order *order = context;
    double difference = value(b, order->key) - value(a, order->key);

    if (difference != 0) {
        return difference > 0 ? order->sign : -order->sign;
    }
    int names = strcmp(a->topic->name, b->topic->name);

    return order->sign * names;
}

void rates_sort(struct rates *rates, enum sort_key key, bool reverse)
{
    struct order order = {.key = key, .sign = reverse ? -1 : 1};

    if (rates->count > 0) {
        qsort_r(rates->rows, rates->count, sizeof *rates->rows, compare, &order);
    }
}

void rates_release(struct rates *rates)
{
    free(rates->rows);
    *rates = (struct rates){0};
}
