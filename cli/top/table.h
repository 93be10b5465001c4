/* Topics or connections as lines of a width. Columns that do not fit are left out, the least
 * important first. Any thread. */
#pragma once

#include "cli/top/admin/connections.h"
#include "cli/top/admin/rates.h"

#include <stdio.h>

enum table_limits {
    TABLE_NAME_MIN = 12,    /* columns that a topic's name keeps */
    TABLE_STALE_MS = 10000, /* without a message although there is a publisher */
};

struct table {
    bool connections; /* these, else topics */
    unsigned width;
    enum sort_key sort;
    bool ansi;      /* marks what is sorted by, and what is bad */
    int64_t wall_s; /* for the ages of connections */
};

/* Without the end of the line, as the others. */
void table_write_head(const struct table *table, FILE *out);
void table_write_topic(const struct table *table, const struct rate_row *row, FILE *out);
void table_write_connection(const struct table *table, const struct connection_row *row, FILE *out);
