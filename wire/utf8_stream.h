/* UTF-8 that arrives in pieces (RFC 3629 §4; the Unicode Standard 15, table 3-7). A fault is
 * reported with the piece that holds the first byte after which no continuation is valid, wherever
 * the text was cut. Pure: no allocation, no I/O, any thread; a stream belongs to its caller.
 *
 * For payloads of megabytes; base/utf8.h checks short, whole texts. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

/* The state between two bytes: what the next one may be. */
struct utf8_stream {
    uint8_t left;      /* continuation bytes that the current character still needs, 0 to 3 */
    uint8_t low, high; /* bounds of the next of them */
    bool is_bad;       /* final */
};

void utf8_stream_init(struct utf8_stream *stream);

/* Checks more bytes. False: the bytes so far are not a prefix of any valid text. */
MUST_USE bool utf8_stream_take(struct utf8_stream *stream, struct bytes more);

/* The same without vectors: the reference for tests. */
MUST_USE bool utf8_stream_take_bytes(struct utf8_stream *stream, struct bytes more);

/* The text may end here: valid so far, and not inside a character. */
bool utf8_stream_is_whole(const struct utf8_stream *stream);
