#include "cli/top/table.h"

#include <string.h>

#include "base/attributes.h"
#include "cli/top/cell.h"

/* Behind the name, which takes the rest of the line. */
struct column {
    const char *title;
    unsigned width;
    unsigned rank;      /* 0 is left out last */
    bool is_text;       /* foreign, at the left of its columns */
    enum sort_key sort; /* SORT_COUNT: by none */
};

enum topic_column {
    TOPIC_PUBLISHERS,
    TOPIC_VIEWERS,
    TOPIC_AGE,
    TOPIC_IN,
    TOPIC_OUT,
    TOPIC_MESSAGES,
    TOPIC_LOST,
    TOPIC_LOST_RATE,
    TOPIC_COLUMNS,
};

static const struct column topic_columns[] = {
    [TOPIC_PUBLISHERS] = {"PUB", 4, 4, false, SORT_PUBLISHERS},
    [TOPIC_VIEWERS] = {"VIEW", 5, 0, false, SORT_VIEWERS},
    [TOPIC_AGE] = {"AGE", 5, 3, false, SORT_AGE},
    [TOPIC_IN] = {"IN BIT/S", 8, 2, false, SORT_IN},
    [TOPIC_OUT] = {"OUT BIT/S", 9, 1, false, SORT_OUT},
    [TOPIC_MESSAGES] = {"MSG/S", 5, 6, false, SORT_MESSAGES},
    [TOPIC_LOST] = {"LOST", 6, 5, false, SORT_LOST},
    [TOPIC_LOST_RATE] = {"LOST/S", 6, 7, false, SORT_COUNT},
};

enum connection_column {
    CONNECTION_ACCESS,
    CONNECTION_SINCE,
    CONNECTION_LEFT,
    CONNECTION_LOST,
    CONNECTION_ADDRESS,
    CONNECTION_AGENT,
    CONNECTION_COLUMNS,
};

static const struct column connection_columns[] = {
    [CONNECTION_ACCESS] = {"RW", 2, 1, false, SORT_COUNT},
    [CONNECTION_SINCE] = {"SINCE", 5, 2, false, SORT_AGE},
    [CONNECTION_LEFT] = {"LEFT", 5, 4, false, SORT_COUNT},
    [CONNECTION_LOST] = {"LOST", 6, 3, false, SORT_LOST},
    [CONNECTION_ADDRESS] = {"ADDRESS", 21, 0, true, SORT_COUNT},
    [CONNECTION_AGENT] = {"AGENT", 20, 5, true, SORT_COUNT},
};

_Static_assert(ARRAY_LENGTH(topic_columns) == TOPIC_COLUMNS, "each has a row");
_Static_assert(ARRAY_LENGTH(connection_columns) == CONNECTION_COLUMNS, "each has a row");

static const struct column *columns_of(const struct table *table, unsigned *ret_count)
{
    *ret_count = table->connections ? (unsigned)CONNECTION_COLUMNS : (unsigned)TOPIC_COLUMNS;
    return table->connections ? connection_columns : topic_columns;
}

/* The columns up to that rank, with a blank before each. */
static unsigned width_to(const struct table *table, unsigned rank)
{
    unsigned count, width = 0;
    const struct column *columns = columns_of(table, &count);

    for (unsigned i = 0; i < count; i++) {
        width += columns[i].rank <= rank ? columns[i].width + 1 : 0;
    }
    return width;
}

static bool is_shown(const struct table *table, const struct column *column)
{
    return TABLE_NAME_MIN + width_to(table, column->rank) <= table->width;
}

static unsigned name_width(const struct table *table)
{
    unsigned count, used = 0;
    const struct column *columns = columns_of(table, &count);

    for (unsigned i = 0; i < count; i++) {
        used += is_shown(table, &columns[i]) ? columns[i].width + 1 : 0;
    }
    return table->width - used;
}

static void write_title(const struct table *table, const char *title, enum sort_key sort, int width,
                        FILE *out)
{
    bool marked = table->ansi && sort == table->sort;

    fprintf(out, "%*s%s%s%s%*s", width > 0 ? width - (int)strlen(title) : 0, "",
            marked ? "\033[4m" : "", title, marked ? "\033[24m" : "",
            width < 0 ? -width - (int)strlen(title) : 0, "");
}

void table_write_head(const struct table *table, FILE *out)
{
    unsigned count;
    const struct column *columns = columns_of(table, &count);

    write_title(table, "TOPIC", SORT_NAME, -(int)name_width(table), out);
    for (unsigned i = 0; i < count; i++) {
        if (is_shown(table, &columns[i])) {
            int width = (int)columns[i].width;

            fputc(' ', out);
            write_title(table, columns[i].title, columns[i].sort,
                        columns[i].is_text ? -width : width, out);
        }
    }
}

static void write_cell(const struct table *table, const struct column *column, const char *cell,
                       bool is_bad, FILE *out)
{
    bool marked = is_bad && table->ansi;

    fprintf(out, " %s%*s%s", marked ? "\033[1;31m" : "", (int)column->width, cell,
            marked ? "\033[22;39m" : "");
}

static void rate_cell(char cell[static CELL_SIZE], const struct rate_row *row, double rate)
{
    if (row->known) {
        cell_scaled(cell, rate);
    } else {
        memcpy(cell, "-", 2);
    }
}

/* True: it is bad. */
static bool topic_cell(char cell[static CELL_SIZE], enum topic_column column,
                       const struct rate_row *row)
{
    const struct snapshot_topic *topic = row->topic;

    switch (column) {
    case TOPIC_PUBLISHERS:
        cell_count(cell, topic->publishers);
        return false;
    case TOPIC_VIEWERS:
        cell_count(cell, topic->viewers);
        return false;
    case TOPIC_AGE:
        cell_age(cell, topic->age_ms);
        return topic->publishers > 0 && topic->age_ms > TABLE_STALE_MS;
    case TOPIC_IN:
        rate_cell(cell, row, row->bytes_in * 8);
        return false;
    case TOPIC_OUT:
        rate_cell(cell, row, row->bytes_out * 8);
        return false;
    case TOPIC_MESSAGES:
        rate_cell(cell, row, row->messages);
        return false;
    case TOPIC_LOST:
        cell_count(cell, topic->lost);
        return topic->lost > 0;
    default:
        rate_cell(cell, row, row->lost);
        return row->lost > 0;
    }
}

void table_write_topic(const struct table *table, const struct rate_row *row, FILE *out)
{
    char cell[CELL_SIZE];

    cell_write_name(out, row->topic->name, name_width(table), true);
    for (unsigned i = 0; i < TOPIC_COLUMNS; i++) {
        if (is_shown(table, &topic_columns[i])) {
            bool is_bad = topic_cell(cell, i, row);

            write_cell(table, &topic_columns[i], cell, is_bad, out);
        }
    }
}

static void seconds_cell(char cell[static CELL_SIZE], bool known, int64_t seconds)
{
    cell_age(cell, !known ? -1 : seconds > 0 ? seconds * 1000 : 0);
}

static void connection_cell(char cell[static CELL_SIZE], enum connection_column column,
                            const struct connection_row *row, int64_t wall_s)
{
    switch (column) {
    case CONNECTION_ACCESS:
        snprintf(cell, CELL_SIZE, "%c%c", row->can_read ? 'r' : '-', row->can_write ? 'w' : '-');
        return;
    case CONNECTION_SINCE:
        seconds_cell(cell, row->connected_s > 0, wall_s - row->connected_s);
        return;
    case CONNECTION_LEFT:
        seconds_cell(cell, row->expires_s > 0, row->expires_s - wall_s);
        return;
    default:
        cell_count(cell, row->lost);
        return;
    }
}

void table_write_connection(const struct table *table, const struct connection_row *row, FILE *out)
{
    char cell[CELL_SIZE];

    cell_write_name(out, row->topic, name_width(table), true);
    for (unsigned i = 0; i < CONNECTION_COLUMNS; i++) {
        const struct column *column = &connection_columns[i];

        if (!is_shown(table, column)) {
            continue;
        }
        if (column->is_text) {
            fputc(' ', out);
            const char *text = i == CONNECTION_ADDRESS ? row->address : row->agent;

            cell_write_name(out, text[0] == '\0' ? "-" : text, column->width, true);
        } else {
            connection_cell(cell, i, row, table->wall_s);
            write_cell(table, column, cell, i == CONNECTION_LOST && row->lost > 0, out);
        }
    }
}
