/* Makes foreign text safe to show to people: some characters control a terminal, or make a line
 * appear different from its content. Any thread; never blocks. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bytes.h"

/* The length of the character at the front of in (not empty, UTF-8) when it is one of those, or 0:
 * C0 and DEL, C1 (U+0080 to U+009F: CSI, OSC, …), line separators (U+2028, U+2029) and
 * bidirectional controls (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069). The code
 * point, which 16 bits hold, goes to *ret_code. */
size_t printable_control_len(struct bytes in, uint16_t *ret_code);

/* Writes text for a terminal: those characters as \u001b, bytes that are not UTF-8 as U+FFFD. */
void printable_write(FILE *out, struct bytes text);
