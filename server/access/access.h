/* The access API: one request in, one reply out; knows no connection. Called on any worker; what it
 * shares (keys, codes) is immutable or locks for itself. Behaviour: docs/protocol.md. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "server/access/code_store.h"
#include "server/stats/counters.h"
#include "token/token.h"
#include "wire/http_request.h"

/* Shared by all workers, immutable while the server runs (the code store locks for itself). */
struct access_context {
    const struct token_keys *keys;
    const char *audience;
    const char *url; /* the WebSocket URL that clients get */
    bool allow_no_booking_id;
    struct code_store *codes;
};

enum access_sizes { ACCESS_BODY_SIZE = 3072, ACCESS_FIELDS_SIZE = 64 };

struct access_reply {
    unsigned status;
    const char *content_type; /* NULL: no body */
    size_t body_len;
    char body[ACCESS_BODY_SIZE];
    char fields[ACCESS_FIELDS_SIZE]; /* extra header lines */
};

/* Everything about one request that a handler may look at. */
struct access_call {
    const struct access_context *context;
    struct counters *counters;
    const struct http_request *request;
    struct bytes query;
    struct token_claims claims;      /* of the verified token */
    char parameter[TOKEN_TEXT_SIZE]; /* the decoded path segment, e.g. session id */
    bool has_parameter;              /* false: it could not be decoded, or is empty */
    uint64_t now_ms;                 /* monotonic */
    int64_t now_s;                   /* wall clock */
};

/* Routes, authenticates and handles (order of checks: route, token, body type, Accept, handler). */
void access_handle(struct access_call *call, struct access_reply *reply);

/* Bodies of replies. Framework errors {"code":401,…} have no newline, handler errors
 * {"code":"400",…} do; that is how existing clients know them. */
void access_reply_framework(struct access_reply *reply, unsigned status, const char *message);
void access_reply_error(struct access_reply *reply, unsigned status, const char *message);
void access_reply_string(struct access_reply *reply, unsigned status, const char *text);
