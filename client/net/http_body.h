/* Parses one HTTP response with llhttp and keeps its body, however long, up to a bound of the
 * caller. One owner, one thread; must not move in memory between init and the last feed. */
#pragma once

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "client/net/fault.h"

enum http_body_limits {
    HTTP_BODY_HEAD_BYTES_MAX = 128 * 1024, /* of everything but the body */
};

struct http_body {
    int status;
    char *data; /* malloc'ed, not terminated; NULL when empty */
    size_t len;

    /* Private to http_body.c. */
    size_t len_max;
    size_t size;     /* allocated */
    size_t received; /* of the whole response */
    llhttp_t parser;
    llhttp_settings_t settings;
    bool complete;
    bool no_memory, too_large;
};

void http_body_init(struct http_body *body, size_t len_max);

/* Takes received bytes; len 0: the connection ended. PROGRESS_WAIT: more is expected. */
MUST_USE enum progress http_body_feed(struct http_body *body, const char *data, size_t len,
                                      struct fault *fault);

/* Frees the data. Harmless on a zeroed body. */
void http_body_release(struct http_body *body);
