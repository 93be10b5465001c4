/* The body of a request, piece by piece, with its chunks. Pure, one thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "wire/http_chunked.h"
#include "wire/http_request.h"

enum body_limits {
    BODY_CHUNK_BYTES_MAX = 256 * 1024 * 1024,
    BODY_PIECE_BYTES_MAX = 16 * 1024,
    BODY_FRAMING_BYTES_MAX = 2 * BODY_PIECE_BYTES_MAX, /* up to the end of a piece of content */
};

enum body_result {
    BODY_OK,   /* the body has ended; the piece may still hold content */
    BODY_MORE, /* call again while there is input */
    BODY_MALFORMED,
};

struct body {
    bool is_chunked;
    uint64_t left; /* without chunks */
    struct http_chunked chunked;
};

struct body_piece {
    struct bytes content; /* borrowed from the input; may be empty */
    size_t chunk_size;    /* 0: the body has no chunks */
    bool in_chunk;        /* more of the chunk is to come */
};

/* For a request whose head was read, by a parser that leaves bodies. */
void body_init(struct body *body, const struct http_request *request);

/* Reads from the front of *input and advances it. Must not be called again after BODY_OK or
 * BODY_MALFORMED. */
MUST_USE enum body_result body_read(struct body *body, struct bytes *input,
                                    struct body_piece *ret_piece);

/* True when a request has no body. */
bool body_is_empty(const struct body *body);
