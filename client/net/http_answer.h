/* Parses one HTTP/1.1 response with llhttp into a bounded struct: the fields that the access
 * request and the WebSocket handshake need. One owner, one thread; never allocates. Must not move
 * in memory between init and the last feed. */
#pragma once

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

enum http_answer_limits {
    HTTP_ANSWER_BYTES_MAX = 128 * 1024, /* of the whole response */
    HTTP_ANSWER_BODY_MAX = 16 * 1024,   /* kept of the body; the rest is read and discarded */
    HTTP_ANSWER_FIELD_SIZE = 128,       /* kept of a field; longer ones are cut */
};

enum http_answer_result {
    HTTP_ANSWER_OK,
    HTTP_ANSWER_MORE,
    HTTP_ANSWER_MALFORMED,
    HTTP_ANSWER_TOO_LARGE,
};

struct http_answer {
    /* Valid after HTTP_ANSWER_OK. */
    int status;
    char upgrade[HTTP_ANSWER_FIELD_SIZE];
    char connection[HTTP_ANSWER_FIELD_SIZE];
    char accept[HTTP_ANSWER_FIELD_SIZE];     /* Sec-WebSocket-Accept */
    char extensions[HTTP_ANSWER_FIELD_SIZE]; /* Sec-WebSocket-Extensions */
    char protocol[HTTP_ANSWER_FIELD_SIZE];   /* Sec-WebSocket-Protocol */
    char retry_after[HTTP_ANSWER_FIELD_SIZE];
    size_t body_len;
    char body[HTTP_ANSWER_BODY_MAX + 1]; /* terminated */
    bool body_cut;

    /* Private to http_answer.c. */
    llhttp_t parser;
    llhttp_settings_t settings;
    char name[32];
    size_t name_len;
    char *value; /* the member for the current field, or NULL */
    size_t value_len;
    size_t bytes; /* received */
    bool complete;
};

void http_answer_init(struct http_answer *answer);

/* Feeds received bytes; *ret_used of them belong to the response. Errors are final. */
MUST_USE enum http_answer_result http_answer_feed(struct http_answer *answer, struct bytes input,
                                                  size_t *ret_used);

/* Call when the connection ended: a response without length is then complete. */
MUST_USE enum http_answer_result http_answer_finish(struct http_answer *answer);

/* Retry-After in seconds as ms; dates and invalid values give 0. */
uint64_t http_answer_retry_after_ms(const struct http_answer *answer);
