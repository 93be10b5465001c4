/* The chunked transfer coding (RFC 9112 §7.1), read strictly: every line ends in CR LF. The content
 * is discarded or lent out, its length is kept. The input need not outlive the call. Pure: no
 * allocation, no I/O, any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

enum http_chunked_result {
    HTTP_CHUNKED_OK,        /* the empty line after the last chunk was read */
    HTTP_CHUNKED_MORE,      /* all input was consumed; the body continues */
    HTTP_CHUNKED_MALFORMED, /* → 400 */
    HTTP_CHUNKED_TOO_LARGE, /* → 413: as soon as a chunk announces more than content_max */
};

struct http_chunked {
    size_t content_len; /* of the chunks announced so far */
    size_t chunk_size;  /* of the last of them */

    /* Private to http_chunked.c. */
    size_t content_max;
    size_t wire_left; /* bytes still allowed for framing and content together */
    size_t chunk_len; /* the size that is being read, then what is left of the chunk */
    int state;
};

/* content_max: bytes of content; wire_max: bytes including sizes, extensions and trailers, which
 * can be far longer than the content. */
void http_chunked_init(struct http_chunked *chunked, size_t content_max, size_t wire_max);

/* Reads from the front of *input and advances it past the bytes of the body. Must not be called
 * again after OK or an error. */
MUST_USE enum http_chunked_result http_chunked_parse(struct http_chunked *chunked,
                                                     struct bytes *input);

/* The same up to the end of one piece of content, which *ret_content borrows from the input; it is
 * empty when the input holds none. HTTP_CHUNKED_MORE: call again while there is input. */
MUST_USE enum http_chunked_result http_chunked_read(struct http_chunked *chunked,
                                                    struct bytes *input, struct bytes *ret_content);

/* True inside the content of a chunk. */
bool http_chunked_in_chunk(const struct http_chunked *chunked);

/* For a body without end: both limits count anew. */
void http_chunked_renew(struct http_chunked *chunked, size_t wire_max);
