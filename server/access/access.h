/* The access API: one request in, one reply out; knows no connection. Called on any worker; what it
 * shares (keys, codes) is immutable or locks for itself. Behaviour: docs/protocol.md. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json_writer.h"
#include "server/bookings/bookings.h"
#include "server/bookings/code_store.h"
#include "server/bookings/places.h"
#include "server/stats/alarms.h"
#include "server/stats/counters.h"
#include "token/token.h"
#include "token/token_keys_slot.h"
#include "wire/http_request.h"

/* The subprotocol that a WebSocket gets. */
enum access_subprotocols {
    ACCESS_SUBPROTOCOLS_NULL,  /* "null", where it is offered */
    ACCESS_SUBPROTOCOLS_FIRST, /* the first that is offered */
    ACCESS_SUBPROTOCOLS_NONE,
};

/* Shared by all workers, immutable while the server runs (the code store locks for itself). */
struct access_context {
    struct token_keys_slot *keys; /* replaced when the files change */
    const char *audience;
    const char *url; /* the WebSocket URL that clients get */
    bool allow_no_booking_id;
    bool watch_page;                    /* GET /watch is there */
    _Atomic(const char *) cors_origins; /* "": none; a reload replaces it */
    _Atomic bool is_draining;           /* the relay stops: no more joins */
    _Atomic bool is_over;               /* another program is the relay now: nothing is answered */
    enum access_subprotocols subprotocols;
    struct code_store *codes;
    struct bookings *bookings;
    struct places *places; /* of WebSockets */
};

/* The answer to requests of connections that the program before kept. */
#define ACCESS_OVER "the relay was replaced, try again"

/* The answer to clients that join while the relay stops; they come back to its successor. */
#define ACCESS_DRAINING "the relay is stopping, try again later"
enum { ACCESS_DRAINING_RETRY_MS = 5000, ACCESS_OVER_RETRY_MS = 1000 };

enum access_sizes { ACCESS_BODY_SIZE = 3072, ACCESS_FIELDS_SIZE = 640, ACCESS_REASON_SIZE = 112 };

/* The part of a request that needs other workers or the disk: the layer above does it before it
 * sends the reply that the handler prepared. */
enum access_action {
    ACCESS_ACTION_NONE,     /* send it */
    ACCESS_ACTION_NOTE,     /* store the booking as allowed, without waiting; send it */
    ACCESS_ACTION_DENY,     /* cut the booking's connections, store, then send it */
    ACCESS_ACTION_ALLOW,    /* store, then send it */
    ACCESS_ACTION_STATUS,   /* gather the connections, send them */
    ACCESS_ACTION_SNAPSHOT, /* fetch the topic's newest picture, send it */
};

/* Kinds of pictures that a topic may have. */
enum access_picture { ACCESS_PICTURE_JPEG, ACCESS_PICTURE_STREAM, ACCESS_PICTURE_OTHER };

struct access_reply {
    enum access_action action;
    char booking_id[TOKEN_TEXT_SIZE]; /* for the action */
    int64_t exp_s;
    char topic[TOKEN_TEXT_SIZE]; /* for ACCESS_ACTION_SNAPSHOT, as the next one */
    unsigned pictures;           /* that the client accepts: 1 << enum access_picture */
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

/* Why no client joins now, and after how many ms it may come back. NULL: it may join. */
const char *access_reason_to_wait(const struct access_context *context, unsigned *ret_retry_ms);

/* True: another program is the relay now, as the reply says. */
MUST_USE bool access_answer_over(const struct access_context *context, struct access_reply *reply);

/* Routes, authenticates and handles (order of checks: route, token, body type, Accept, handler). */
void access_handle(struct access_call *call, struct access_reply *reply);

/* An empty reply, but for the body, which is large, and written with its length. */
void access_reply_init(struct access_reply *reply);

/* Whether the request's Accept fields allow an answer of that type. */
bool access_accepts(const struct http_request *request, const char *type);

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
/* 200 with a copy of a constant text. */
void access_reply_copy(struct access_reply *reply, const char *content_type, const char *text,
                       size_t len);
/* Status 422 with a code of its own. */
void access_reply_validation(struct access_reply *reply, int code, const char *message);
/* These messages are the reason in the log too. */
void access_reply_error(struct access_reply *reply, unsigned status, const char *message);
void access_reply_string(struct access_reply *reply, unsigned status, const char *text);
