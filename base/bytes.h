/* A borrowed range of memory, which its creator keeps alive. Any thread; never blocks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

struct bytes {
    const uint8_t *data;
    size_t len;
};

struct bytes bytes_of(const void *data, size_t len);
struct bytes bytes_of_text(const char *text);

bool bytes_equal(struct bytes a, struct bytes b);
bool bytes_equal_text(struct bytes a, const char *text);

/* ASCII case-insensitive, for HTTP field names and tokens. */
bool bytes_equal_text_nocase(struct bytes a, const char *text);

/* True for equal content, in time that depends only on the lengths. For secrets and codes. */
bool bytes_equal_secret(struct bytes a, struct bytes b);

bool bytes_start_with(struct bytes a, const char *prefix);

/* Everything from offset on; empty when offset is at or past the end. */
struct bytes bytes_skip(struct bytes a, size_t offset);

/* Index of the first c, or a.len when there is none. */
size_t bytes_find(struct bytes a, char c);

/* Without leading and trailing space and tab (HTTP optional white space). */
struct bytes bytes_trim(struct bytes a);

/* The same, without line ends too: for a text that was copied by hand, or read from a file. */
struct bytes bytes_strip(struct bytes a);

/* Takes the first element of a list with commas off it, without blanks around it; it may be empty.
 * The list is then what follows the comma, or empty. */
struct bytes bytes_take_item(struct bytes *list);

/* True if a list with commas has the token, ASCII case-insensitive (RFC 9110 §5.6.1). */
bool bytes_list_has_nocase(struct bytes list, const char *token);

/* Copies as a terminated string. -ENOSPC when it does not fit with its terminator. */
MUST_USE int bytes_to_text(struct bytes a, char *text, size_t text_size);

/* Decimal digits only, whole input. -EINVAL on anything else or overflow. */
MUST_USE int bytes_to_uint64(struct bytes a, uint64_t *ret_value);

/* Value of a hexadecimal digit of either case; -1 for other characters. */
int bytes_hex_digit_value(uint8_t c);

/* NULL, or without characters: an option that is not set. */
bool text_is_empty(const char *text);

/* Extends hash by the bytes (FNV-1a). Begins at 0, or at a random key if an outsider can choose
 * what a table holds. */
uint64_t bytes_hash(uint64_t hash, struct bytes a);

/* Overwrites memory that held a secret; the compiler cannot remove it. */
void bytes_wipe(void *data, size_t len);
