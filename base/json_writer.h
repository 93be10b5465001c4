/* Append-only JSON text in a caller's fixed buffer. Escapes; does not check nesting. Text that does
 * not fit is cut and recorded in `overflow`. Any thread (one writer, one thread); never blocks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct json_writer {
    char *data;
    size_t size; /* the terminator included */
    size_t len;
    bool overflow;  /* true exactly when something did not fit */
    bool printable; /* texts are for people: also escape the characters of base/printable.h */
};

/* size > 0. The text is always terminated. */
void json_writer_init(struct json_writer *json, char *data, size_t size);

void json_writer_raw(struct json_writer *json, const char *text);

/* The same with the characters of base/printable.h as \u009b …: for foreign text that is already
 * JSON, or goes next to JSON. */
void json_writer_raw_printable(struct json_writer *json, const char *text);

/* A quoted string. Control characters are escaped (RFC 8259 §7); bytes that are not valid UTF-8
 * become U+FFFD, so that the result is always valid JSON. */
void json_writer_text(struct json_writer *json, const char *text);
void json_writer_bytes(struct json_writer *json, struct bytes in);

/* Appends text that is already JSON, with < > & U+2028 and U+2029, which occur only in its strings,
 * written as \u003c …: byte for byte like Go's json.Marshal, which existing clients expect. */
void json_writer_html_safe(struct json_writer *json, struct bytes text);

void json_writer_integer(struct json_writer *json, int64_t value);
void json_writer_boolean(struct json_writer *json, bool value);
