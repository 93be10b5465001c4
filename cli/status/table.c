#include "cli/status/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/attributes.h"

enum { CELL_SIZE = 49, TOPIC_SIZE = 41, ADDRESS_SIZE = 40, TIME_SIZE = 20 };

/* Text from outside must not move the cursor or colour the terminal. Each character above ASCII
 * becomes one question mark, whatever its length. */
static void cell_text(char cell[static CELL_SIZE], const char *text, size_t size)
{
    size_t len = 0;

    for (; *text != '\0' && len + 1 < size; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c & 0xC0) != 0x80) {
            cell[len++] = c >= ' ' && c <= '~' ? (char)c : '?';
        }
    }
    if (*text != '\0') {
        cell[len - 1] = '>';
    }
    cell[len] = '\0';
    if (len == 0) {
        memcpy(cell, "-", 2);
    }
}

static void cell_time(char cell[static CELL_SIZE], int64_t time_s)
{
    time_t seconds = (time_t)time_s;
    struct tm utc;

    if (time_s == 0 || gmtime_r(&seconds, &utc) == NULL ||
        strftime(cell, TIME_SIZE, "%Y-%m-%d %H:%M:%S", &utc) == 0) {
        memcpy(cell, "-", 2);
    }
}

static void cell_duration(char cell[static CELL_SIZE], int64_t ns)
{
    int64_t seconds = ns / 1000000000;

    if (seconds < 60) {
        snprintf(cell, CELL_SIZE, "%.2fs", (double)ns / 1e9);
    } else if (seconds < 3600) {
        snprintf(cell, CELL_SIZE, "%" PRId64 "m%02" PRId64 "s", seconds / 60, seconds % 60);
    } else {
        snprintf(cell, CELL_SIZE, "%" PRId64 "h%02" PRId64 "m", seconds / 3600, seconds / 60 % 60);
    }
}

enum column {
    COLUMN_TOPIC,
    COLUMN_ACCESS,
    COLUMN_CONNECTED,
    COLUMN_EXPIRES,
    COLUMN_TX_LAST,
    COLUMN_TX_FPS,
    COLUMN_TX_SIZE,
    COLUMN_RX_LAST,
    COLUMN_RX_FPS,
    COLUMN_RX_SIZE,
    COLUMN_DROPPED,
    COLUMN_HOPS, /* one for each enum relay_status_hop, where any is known */
    COLUMN_HOPS_END = COLUMN_HOPS + RELAY_STATUS_HOPS - 1,
    COLUMN_ADDRESS,
    COLUMN_AGENT,
    COLUMN_COUNT,
};

static const char *const titles[COLUMN_COUNT] = {
    [COLUMN_TOPIC] = "TOPIC",
    [COLUMN_ACCESS] = "RW",
    [COLUMN_CONNECTED] = "CONNECTED",
    [COLUMN_EXPIRES] = "EXPIRES",
    [COLUMN_TX_LAST] = "SENT",
    [COLUMN_TX_FPS] = "PER S",
    [COLUMN_TX_SIZE] = "BYTES",
    [COLUMN_RX_LAST] = "RECEIVED",
    [COLUMN_RX_FPS] = "PER S",
    [COLUMN_RX_SIZE] = "BYTES",
    [COLUMN_DROPPED] = "DROPPED",
    [COLUMN_HOPS + RELAY_STATUS_PUBLISH] = "PUBLISH MS",
    [COLUMN_HOPS + RELAY_STATUS_RELAY] = "RELAY MS",
    [COLUMN_HOPS + RELAY_STATUS_DELIVER] = "DELIVER MS",
    [COLUMN_HOPS + RELAY_STATUS_DECODE] = "DECODE MS",
    [COLUMN_ADDRESS] = "ADDRESS",
    [COLUMN_AGENT] = "AGENT",
};

struct row {
    char cells[COLUMN_COUNT][CELL_SIZE];
};

static void row_put_direction(struct row *row, enum column first, bool has_statistics,
                              const struct relay_status_direction *direction)
{
    if (!has_statistics) {
        memcpy(row->cells[first], "-", 2);
        memcpy(row->cells[first + 1], "-", 2);
        memcpy(row->cells[first + 2], "-", 2);
        return;
    }
    if (direction->never) {
        memcpy(row->cells[first], "never", 6);
    } else {
        cell_duration(row->cells[first], direction->last_ns);
    }
    snprintf(row->cells[first + 1], CELL_SIZE, "%.1f", direction->fps);
    snprintf(row->cells[first + 2], CELL_SIZE, "%.0f", direction->size);
}

/* "0.4/12": half of all take no longer, and nearly all. */
static void cell_latency(char cell[static CELL_SIZE], const struct relay_status_latency *latency)
{
    if (latency->known) {
        snprintf(cell, CELL_SIZE, "%.1f/%.1f", latency->p50_ms, latency->p99_ms);
    } else {
        memcpy(cell, "-", 2);
    }
}

static void row_fill(struct row *row, const struct relay_status_report *report)
{
    cell_text(row->cells[COLUMN_TOPIC], report->topic, TOPIC_SIZE);
    snprintf(row->cells[COLUMN_ACCESS], CELL_SIZE, "%c%c", report->can_read ? 'r' : '-',
             report->can_write ? 'w' : '-');
    cell_time(row->cells[COLUMN_CONNECTED], report->connected_s);
    cell_time(row->cells[COLUMN_EXPIRES], report->expires_s);
    row_put_direction(row, COLUMN_TX_LAST, report->has_statistics, &report->tx);
    row_put_direction(row, COLUMN_RX_LAST, report->has_statistics, &report->rx);
    if (report->has_statistics || report->dropped > 0) {
        snprintf(row->cells[COLUMN_DROPPED], CELL_SIZE, "%" PRIu64, report->dropped);
    } else {
        memcpy(row->cells[COLUMN_DROPPED], "-", 2);
    }
    for (unsigned i = 0; i < RELAY_STATUS_HOPS; i++) {
        cell_latency(row->cells[COLUMN_HOPS + i], &report->latency[i]);
    }
    cell_text(row->cells[COLUMN_ADDRESS], report->remote_address, ADDRESS_SIZE);
    cell_text(row->cells[COLUMN_AGENT], report->user_agent, CELL_SIZE);
}

static void row_measure(const struct row *row, int widths[static COLUMN_COUNT])
{
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        int len = (int)strlen(row->cells[i]);

        widths[i] = len > widths[i] ? len : widths[i];
    }
}

static bool is_number(enum column column)
{
    return column >= COLUMN_TX_LAST && column <= COLUMN_HOPS_END;
}

static void row_print(const struct row *row, const int widths[static COLUMN_COUNT], FILE *out)
{
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        if (widths[i] == 0) {
            continue;
        }
        int width = i == COLUMN_COUNT - 1 ? 0 : widths[i];

        fprintf(out, "%s%*s", i == 0 ? "" : "  ", is_number(i) ? width : -width, row->cells[i]);
    }
    fputc('\n', out);
}

static int order(const void *a, const void *b)
{
    const struct relay_status_report *const *left = a, *const *right = b;
    int by_topic = strcmp((*left)->topic, (*right)->topic);

    if (by_topic != 0) {
        return by_topic;
    }
    return ((*left)->connected_s > (*right)->connected_s) -
           ((*left)->connected_s < (*right)->connected_s);
}

static const struct relay_status_report **sorted(const struct relay_status_reports *reports)
{
    const struct relay_status_report **list = calloc(reports->count + 1, sizeof(*list));

    for (size_t i = 0; list != NULL && i < reports->count; i++) {
        list[i] = &reports->list[i];
    }
    if (list != NULL) {
        qsort(list, reports->count, sizeof(*list), order);
    }
    return list;
}

/* Most tables have none. */
static void hide_unknown_hops(const struct relay_status_reports *reports,
                              int widths[static COLUMN_COUNT])
{
    for (unsigned hop = 0; hop < RELAY_STATUS_HOPS; hop++) {
        bool known = false;

        for (size_t i = 0; i < reports->count; i++) {
            known |= reports->list[i].latency[hop].known;
        }
        widths[COLUMN_HOPS + hop] = known ? widths[COLUMN_HOPS + hop] : 0;
    }
}

void table_print(const struct relay_status_reports *reports, FILE *out)
{
    const struct relay_status_report **list = sorted(reports);
    int widths[COLUMN_COUNT] = {0};
    struct row row;

    if (list == NULL) {
        fprintf(out, "out of memory\n");
        return;
    }
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        snprintf(row.cells[i], CELL_SIZE, "%s", titles[i]);
        widths[i] = (int)strlen(titles[i]);
    }
    /* Computed twice rather than stored: there may be very many. */
    struct row head = row;

    for (size_t i = 0; i < reports->count; i++) {
        row_fill(&row, list[i]);
        row_measure(&row, widths);
    }
    hide_unknown_hops(reports, widths);
    row_print(&head, widths, out);
    for (size_t i = 0; i < reports->count; i++) {
        row_fill(&row, list[i]);
        row_print(&row, widths, out);
    }
    free(list);
}
