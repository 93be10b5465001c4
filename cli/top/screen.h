/* One picture of a terminal: the relay in two lines, a table, and the keys. Any thread. */
#pragma once

#include <stdio.h>

#include "cli/top/admin/sampler.h"

enum screen_limits { SCREEN_COLUMNS_MIN = 24, SCREEN_LINES_MIN = 6 };

struct screen {
    const struct sampler *sampler;
    unsigned columns, lines; /* of the terminal */
    enum sort_key sort;
    bool reverse;
    bool connections; /* these, else topics */
    bool paused;
    size_t first;      /* row at the top of the table */
    const char *fault; /* why the relay does not answer; NULL: it does */
    int64_t fault_s;   /* since when, by the wall */
    int64_t wall_s;
};

/* From the top left of the terminal on, without a line end behind the last line. Rows are drawn in
 * the order in which they are. */
void screen_draw(const struct screen *screen, FILE *out);

/* The rows that there are, and those that fit. */
size_t screen_rows(const struct screen *screen);
size_t screen_rows_shown(const struct screen *screen);
