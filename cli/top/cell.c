#include "cli/top/cell.h"

#include <inttypes.h>
#include <string.h>
#include <wchar.h>

#include "base/attributes.h"
#include "base/printable.h"
#include "base/utf8.h"

void cell_scaled(char cell[static CELL_SIZE], double value)
{
    static const char *const units[] = {"", "k", "M", "G", "T"};
    size_t unit = 0;

    while (value >= 999.5 && unit + 1 < ARRAY_LENGTH(units)) {
        value /= 1000;
        unit++;
    }
    bool has_point = value < 9.95 && (unit > 0 || value > 0);

    snprintf(cell, CELL_SIZE, has_point ? "%.1f%s" : "%.0f%s", value, units[unit]);
}

void cell_bits(char cell[static CELL_SIZE], double bytes)
{
    cell_scaled(cell, bytes * 8);
}

void cell_count(char cell[static CELL_SIZE], int64_t value)
{
    if (value < 1000000) {
        snprintf(cell, CELL_SIZE, "%" PRId64, value);
    } else {
        cell_scaled(cell, (double)value);
    }
}

void cell_age(char cell[static CELL_SIZE], int64_t ms)
{
    int64_t seconds = ms / 1000;

    if (ms < 0) {
        memcpy(cell, "-", 2);
    } else if (ms < 1000) {
        snprintf(cell, CELL_SIZE, "%" PRId64 "ms", ms);
    } else if (ms < 9950) {
        snprintf(cell, CELL_SIZE, "%.1fs", (double)ms / 1000);
    } else if (seconds < 120) {
        snprintf(cell, CELL_SIZE, "%" PRId64 "s", seconds);
    } else if (seconds < 7200) {
        snprintf(cell, CELL_SIZE, "%" PRId64 "m", seconds / 60);
    } else if (seconds < 172800) {
        snprintf(cell, CELL_SIZE, "%" PRId64 "h", seconds / 3600);
    } else {
        snprintf(cell, CELL_SIZE, "%" PRId64 "d", seconds / 86400);
    }
}

/* One character, as it is written. */
struct piece {
    struct bytes text;
    unsigned columns;
    char own[8];
};

static wchar_t decode(struct bytes sequence)
{
    uint32_t code = sequence.len == 2   ? sequence.data[0] & 0x1fu
                    : sequence.len == 3 ? sequence.data[0] & 0x0fu
                                        : sequence.data[0] & 0x07u;

    for (size_t i = 1; i < sequence.len; i++) {
        code = code << 6 | (sequence.data[i] & 0x3fu);
    }
    return (wchar_t)code;
}

/* Returns the length of the character at the front of text, which is not empty. */
static size_t take(struct bytes text, struct piece *piece)
{
    uint16_t code;
    size_t control_len = printable_control_len(text, &code);
    size_t len = control_len > 0 ? control_len : utf8_sequence_len(text);

    if (control_len > 0) {
        snprintf(piece->own, sizeof piece->own, "\\u%04x", code);
        piece->text = bytes_of_text(piece->own);
        piece->columns = 6;
        return len;
    }
    int width = len == 0 ? -1 : len == 1 ? 1 : wcwidth(decode(bytes_of(text.data, len)));

    if (width > 0) {
        piece->text = bytes_of(text.data, len);
        piece->columns = (unsigned)width;
    } else { /* not UTF-8, or a mark that would change what is beside it */
        piece->text = bytes_of_text("?");
        piece->columns = 1;
    }
    return len == 0 ? 1 : len;
}

static unsigned width_of(struct bytes text)
{
    struct piece piece;
    unsigned columns = 0;

    while (text.len > 0) {
        text = bytes_skip(text, take(text, &piece));
        columns += piece.columns;
    }
    return columns;
}

void cell_write_name(FILE *out, const char *text, unsigned columns, bool fill)
{
    struct bytes rest = bytes_of_text(text);
    bool fits = width_of(rest) <= columns;
    unsigned room = fits || columns == 0 ? columns : columns - 1;
    struct piece piece;

    while (rest.len > 0) {
        rest = bytes_skip(rest, take(rest, &piece));
        if (piece.columns > room) {
            break;
        }
        fwrite(piece.text.data, 1, piece.text.len, out);
        room -= piece.columns;
    }
    if (!fits && columns > 0) {
        fputc('>', out);
    }
    fprintf(out, "%*s", fill ? (int)room : 0, "");
}
