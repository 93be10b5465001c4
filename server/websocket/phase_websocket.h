/* PHASE_WEBSOCKET: a connection that was admitted to a topic. */
#pragma once

#include "server/conn/conn.h"
#include "server/hub/v1/lease.h"
#include "server/loop/inbox.h"
#include "server/websocket/admission.h"
#include "server/websocket/identity.h"
#include "server/websocket/losses.h"
#include "server/websocket/publish/pace.h"
#include "server/websocket/publish/publish_rate.h"
#include "server/websocket/publish/recogniser.h"
#include "server/websocket/v1/exchange.h"
#include "wire/http_request.h"
#include "wire/utf8_stream.h"
#include "wire/ws_frame.h"

#define NO_PONG_DUE UINT64_MAX

struct phase_websocket {
    struct pace pace;
    struct publish_meter meter;
    struct inbox inbox; /* of the worker's blocks; while out of credit */
    struct ws_frame_parser parser;
    struct ws_frame frame; /* whose payload is being read, while in_payload */
    uint64_t payload_done;
    bool in_payload;
    bool discarding;              /* the message is read and thrown away */
    uint8_t *control;             /* payload of the control frame that is being read, or NULL */
    enum ws_opcode opcode;        /* of the message, from its first frame */
    bool checks_text;             /* the message is text, and RELAY_TEXT_UTF8=check */
    struct utf8_stream text;      /* of it, while checks_text */
    struct recogniser recogniser; /* of what it publishes */
    struct message *message;      /* the one being assembled, or NULL */
    uint64_t message_len;         /* payload bytes announced for it so far */
    uint64_t assembly_started_ms; /* 0: no message is incomplete */
    struct topic *topic;          /* referenced */
    struct identity identity;
    int64_t exp_s;
    bool can_read, can_write;
    bool has_published;        /* something; it counts among the topic's publishers */
    uint16_t source;           /* of its messages, among the publishers of the topic */
    struct losses losses;      /* that it had, as a slow viewer */
    struct lease_claim claim;  /* where the topic has a lease */
    struct exchange *exchange; /* of relay.v1; NULL: it did not ask */
    uint64_t opened_ms;
    int64_t opened_s;
    uint64_t ping_due_ms;
    uint64_t pong_due_ms; /* no pong by then: gone; NO_PONG_DUE while no ping is unanswered */
    bool pong_is_graced;  /* it was put off for what was unread, since the last pong */
    uint64_t messages_received, bytes_received;
    uint64_t first_received_ms, last_received_ms;
};
_Static_assert(sizeof(struct phase_websocket) <= PHASE_STATE_BYTES, "it fits a connection");

static inline struct phase_websocket *phase_websocket_of(struct conn *conn)
{
    return (struct phase_websocket *)(void *)conn->phase_state;
}

static inline const struct phase_websocket *phase_websocket_seen(const struct conn *conn)
{
    return (const struct phase_websocket *)(const void *)conn->phase_state;
}

extern const struct phase_ops phase_websocket_ops;

/* One that another program had until now: what it was there, held (conn/hold.h), with its identity,
 * the reference of its topic, and its place. What it has begun, and what waits for it, is added
 * then. */
void phase_websocket_restore(struct conn *conn, const struct phase_websocket *state);

/* From PHASE_HTTP, when the 101 is queued; bytes: what came behind the request. */
void phase_websocket_open(struct conn *conn, const struct admission *admission,
                          const struct http_request *request, struct bytes bytes);
