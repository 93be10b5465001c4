#include "cli/top/screen.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/attributes.h"
#include "cli/top/cell.h"
#include "cli/top/table.h"

enum { LINE_SIZE = 512, FRAME_LINES = 5 }; /* two of the relay, its fault, the head, the keys */

/* Before a line: behind one that fills the terminal it would take the last character. */
#define CLEAR_LINE "\033[K"

static const char *const sort_names[SORT_COUNT] = {
    [SORT_NAME] = "name",
    [SORT_PUBLISHERS] = "publishers",
    [SORT_VIEWERS] = "viewers",
    [SORT_AGE] = "age",
    [SORT_IN] = "in",
    [SORT_OUT] = "out",
    [SORT_MESSAGES] = "messages",
    [SORT_LOST] = "lost",
};

size_t screen_rows(const struct screen *screen)
{
    return screen->connections ? screen->sampler->connections.count : screen->sampler->rates.count;
}

size_t screen_rows_shown(const struct screen *screen)
{
    return screen->lines > FRAME_LINES ? screen->lines - FRAME_LINES : 0;
}

static void PRINTF_LIKE(3, 4)
    write_line(const struct screen *screen, FILE *out, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fputs(CLEAR_LINE, out);
    cell_write_name(out, line, screen->columns, false);
    fputs("\r\n", out);
}

static void write_relay(const struct screen *screen, FILE *out)
{
    const struct snapshot *now = &screen->sampler->now;
    char up[CELL_SIZE];

    if (now->started_s == 0) {
        write_line(screen, out, "relay: nothing seen yet of %s", screen->sampler->address->text);
        return;
    }
    cell_age(up, (screen->wall_s - now->started_s) * 1000);
    write_line(
        screen, out,
        "relay %s  %s  up %s  %" PRId64 " WebSockets  %" PRId64 " connections  %" PRId64 " workers",
        now->version, screen->sampler->state, up, now->websockets, now->connections, now->workers);
}

static void write_sums(const struct screen *screen, FILE *out)
{
    const struct rates *rates = &screen->sampler->rates;
    char in[CELL_SIZE], sent[CELL_SIZE], messages[CELL_SIZE], lost[CELL_SIZE];

    if (!rates->known) {
        write_line(screen, out, "%zu topics", rates->count);
        return;
    }
    cell_bits(in, rates->bytes_in);
    cell_bits(sent, rates->bytes_out);
    cell_scaled(messages, rates->messages);
    cell_scaled(lost, rates->lost);
    write_line(screen, out, "%zu topics  in %s bit/s  out %s bit/s  %s messages/s  lost %s/s",
               rates->count, in, sent, messages, lost);
}

static void write_fault(const struct screen *screen, FILE *out)
{
    char since[CELL_SIZE];

    if (screen->fault == NULL) {
        write_line(screen, out, "%s", screen->paused ? "paused" : "");
        return;
    }
    cell_age(since, (screen->wall_s - screen->fault_s) * 1000);
    fputs("\033[1;31m", out);
    write_line(screen, out, "no answer for %s: %s", since, screen->fault);
    fputs("\033[22;39m", out);
}

static void write_table(const struct screen *screen, FILE *out)
{
    const struct sampler *sampler = screen->sampler;
    const struct table table = {.connections = screen->connections,
                                .width = screen->columns,
                                .sort = screen->sort,
                                .ansi = true,
                                .wall_s = screen->wall_s};
    size_t rows = screen_rows(screen), shown = screen_rows_shown(screen);

    fputs(CLEAR_LINE "\033[7m", out);
    table_write_head(&table, out);
    fputs("\033[27m\r\n", out);
    for (size_t i = screen->first; i < screen->first + shown; i++) {
        fputs(CLEAR_LINE, out);
        if (i < rows && screen->connections) {
            table_write_connection(&table, &sampler->connections.rows[i], out);
        } else if (i < rows) {
            table_write_topic(&table, &sampler->rates.rows[i], out);
        }
        fputs("\r\n", out);
    }
}

/* Connections have fewer figures. */
static const char *sorted_by(const struct screen *screen)
{
    bool has_it = !screen->connections || screen->sort == SORT_AGE || screen->sort == SORT_LOST;

    return sort_names[has_it ? screen->sort : SORT_NAME];
}

static void write_keys(const struct screen *screen, FILE *out)
{
    char line[LINE_SIZE];
    size_t rows = screen_rows(screen), end = screen->first + screen_rows_shown(screen);

    snprintf(line, sizeof line, "%zu-%zu of %zu by %s%s  q quit  c %s  r reverse  %s  space pause",
             rows == 0 ? 0 : screen->first + 1, end < rows ? end : rows, rows, sorted_by(screen),
             screen->reverse ? ", reversed" : "", screen->connections ? "topics" : "connections",
             screen->connections ? "n a l sort" : "n p v a i o m l sort");
    fputs(CLEAR_LINE "\033[2m", out);
    cell_write_name(out, line, screen->columns, false);
    fputs("\033[22m", out);
}

void screen_draw(const struct screen *screen, FILE *out)
{
    fputs("\033[H", out);
    if (screen->columns < SCREEN_COLUMNS_MIN || screen->lines < SCREEN_LINES_MIN) {
        fputs("\033[J", out);
        cell_write_name(out, "window too small", screen->columns, false);
        return;
    }
    write_relay(screen, out);
    write_sums(screen, out);
    write_fault(screen, out);
    write_table(screen, out);
    write_keys(screen, out);
}
