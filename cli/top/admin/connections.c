#include "cli/top/admin/connections.h"

#include <stdlib.h>
#include <string.h>

#include "client/relay_status.h"

struct reading {
    struct connections *connections;
    bool ok;
};

static bool reserve(struct connections *connections, size_t count)
{
    size_t size = connections->count + count + 1;
    struct connection_row *rows = realloc(connections->rows, size * sizeof *rows);

    if (rows == NULL) {
        return false;
    }
    connections->rows = rows;
    return true;
}

static bool add(struct connections *connections, const struct relay_status_report *report)
{
    struct connection_row *row = &connections->rows[connections->count++];

    *row = (struct connection_row){.topic = strdup(report->topic),
                                   .address = strdup(report->remote_address),
                                   .agent = strdup(report->user_agent),
                                   .can_read = report->can_read,
                                   .can_write = report->can_write,
                                   .connected_s = report->connected_s,
                                   .expires_s = report->expires_s,
                                   .lost = (int64_t)report->dropped};
    return row->topic != NULL && row->address != NULL && row->agent != NULL;
}

static void on_reports(const struct relay_status_reports *reports, void *context)
{
    struct reading *reading = context;

    reading->ok = reserve(reading->connections, reports->count);
    for (size_t i = 0; reading->ok && i < reports->count; i++) {
        reading->ok = add(reading->connections, &reports->list[i]);
    }
}

bool connections_read(struct bytes json, struct connections *ret_connections)
{
    struct reading reading = {.connections = ret_connections};
    const struct relay_status_callbacks callbacks = {.on_reports = on_reports, .context = &reading};
    char error[RELAY_STATUS_ERROR_SIZE];
    struct relay_status *status = relay_status_create(NULL, &callbacks, error);

    *ret_connections = (struct connections){0};
    int failed = status == NULL ? -1 : relay_status_feed(status, (const char *)json.data, json.len);

    relay_status_destroy(status);
    if (failed != 0 || !reading.ok) {
        connections_release(ret_connections);
        return false;
    }
    return true;
}

struct order {
    enum sort_key key;
    int sign;
};

static int by_number(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare(const void *left, const void *right, void *context)
{
    const struct connection_row *a = left, *b = right;
    const struct order *order = context;
    int result = order->key == SORT_LOST  ? by_number(b->lost, a->lost)
                 : order->key == SORT_AGE ? by_number(a->connected_s, b->connected_s)
                                          : 0;

    if (result == 0) {
        result = strcmp(a->topic, b->topic);
    }
    if (result == 0) {
        result = by_number(a->connected_s, b->connected_s);
    }
    if (result == 0) {
        result = strcmp(a->address, b->address);
    }
    return order->sign * result;
}

void connections_sort(struct connections *connections, enum sort_key key, bool reverse)
{
    struct order order = {.key = key, .sign = reverse ? -1 : 1};

    if (connections->count > 0) {
        qsort_r(connections->rows, connections->count, sizeof *connections->rows, compare, &order);
    }
}

void connections_release(struct connections *connections)
{
    for (size_t i = 0; i < connections->count; i++) {
        free(connections->rows[i].topic);
        free(connections->rows[i].address);
        free(connections->rows[i].agent);
    }
    free(connections->rows);
    *connections = (struct connections){0};
}
