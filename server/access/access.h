/* The access API: one request in, one reply out; knows no connection. Called on any worker; what it
 * shares (keys, codes) is immutable or locks for itself. Behaviour: docs/protocol.md. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json_writer.h"
#include "server/access/bookings.h"
#include "server/access/code_store.h"
#include "server/loop/alarm.h"
#include "server/stats/counters.h"
#include "token/token.h"
#include "token/token_keys_slot.h"
#include "wire/http_request.h"

/* Shared by all workers, immutable while the server runs (the code store locks for itself). */
struct access_context {
    struct token_keys_slot *keys; /* replaced when the files change */
    const char *audience;
    const char *url; /* the WebSocket URL that clients get */
    bool allow_no_booking_id;
    const char *cors_origins; /* "": none */
    const char *subprotocols; /* which is accepted: "null", "first" or "none" */
    struct code_store *codes;
    struct bookings *bookings;
};

enum access_sizes { ACCESS_BODY_SIZE = 3072, ACCESS_FIELDS_SIZE = 640, ACCESS_REASON_SIZE = 112 };

/* The part of a request that needs other workers or the disk: the layer above does it before it
 * sends the reply that the handler prepared. */
enum access_action {
    ACCESS_ACTION_NONE,   /* send it */
    ACCESS_ACTION_NOTE,   /* store the booking as allowed, without waiting; send it */
    ACCESS_ACTION_DENY,   /* cut the booking's connections, store, then send it */
    ACCESS_ACTION_ALLOW,  /* store, then send it */
    ACCESS_ACTION_STATUS, /* gather the connections, send them */
};

struct access_reply {
    enum access_action action;
    char booking_id[TOKEN_TEXT_SIZE]; /* for the action */
    int64_t exp_s;
    char *long_body; /* malloc'ed, instead of body; the receiver of the reply frees it, unless: */
    bool long_body_is_shared;
    unsigned status;
    const char *content_type; /* NULL: no body */
    size_t body_len;
    char body[ACCESS_BODY_SIZE];
    char fields[ACCESS_FIELDS_SIZE]; /* extra header lines */
    char reason[ACCESS_REASON_SIZE]; /* of a refusal, for the log: holds nothing that a stranger
                                        sent */
};

struct route;

/* Everything about one request that a handler may look at. */
struct access_call {
    const struct access_context *context;
    struct counters *counters;
    struct alarms *alarms;
    const struct http_request *request;
    const struct route *route; /* NULL until it is found */
    struct bytes query;
    struct token_claims claims;      /* of a token with a genuine signature; else empty */
    char parameter[TOKEN_TEXT_SIZE]; /* the decoded path segment, e.g. session id */
    bool has_parameter;              /* false: it could not be decoded, or is empty */
    uint64_t now_ms;                 /* monotonic */
    int64_t now_s;                   /* wall clock */
};

/* Routes, authenticates and handles (order of checks: route, token, body type, Accept, handler). */
void access_handle(struct access_call *call, struct access_reply *reply);

/* Appends a header line, which must fit: nothing of a request's length goes here. */
void access_reply_field(struct access_reply *reply, const char *name, const char *value);

/* Asks the client to come again then, in whole seconds, at least one. */
void access_reply_retry_after(struct access_reply *reply, uint64_t after_ms);

/* Bodies of replies. Framework errors {"code":401,…} have no newline, handler errors
 * {"code":"400",…} do; that is how existing clients know them. */
void access_reply_empty(struct access_reply *reply, unsigned status);
/* Takes the malloc'ed body. */
void access_reply_long(struct access_reply *reply, unsigned status, const char *content_type,
                       char *body, size_t body_len);
/* Status 422 with a code of its own. */
void access_reply_validation(struct access_reply *reply, int code, const char *message);
/* message may repeat what was sent; reason may not: it goes into the log. */
void access_reply_framework(struct access_reply *reply, unsigned status, const char *message,
                            const char *reason);
/* These messages are the reason in the log too. */
void access_reply_error(struct access_reply *reply, unsigned status, const char *message);
void access_reply_string(struct access_reply *reply, unsigned status, const char *text);
