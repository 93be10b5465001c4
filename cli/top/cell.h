/* Figures and names as they fit into columns of a terminal. Any thread; names need a locale of
 * UTF-8 (setlocale) for what is not ASCII. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum cell_limits { CELL_SIZE = 24 };

/* "950", "1.2k", "34M": at most 4 columns below 10^15. */
void cell_scaled(char cell[static CELL_SIZE], double value);

/* The same of bits, out of bytes. */
void cell_bits(char cell[static CELL_SIZE], double bytes);

/* Whole as long as it fits into 6 columns. */
void cell_count(char cell[static CELL_SIZE], int64_t value);

/* "12ms", "3.4s", "5m", "2h", "9d"; negative: "-". */
void cell_age(char cell[static CELL_SIZE], int64_t ms);

/* Writes foreign text in exactly so many columns: controls as \u001b, too long text with '>' at its
 * end, shorter text filled with blanks if asked for. */
void cell_write_name(FILE *out, const char *text, unsigned columns, bool fill);
