/* The client's thread: one machine of phases driven by poll(2). Each phase either waits for
 * descriptors and a time, or moves on; nothing in it blocks, so a stop is seen at once everywhere.
 *
 *   START → DIAL → ACCESS → DIAL → HANDSHAKE → OPEN
 *   any fault → (LINGERING) → WAIT → START, or ENDED        a stop → (CLOSING) → ENDED
 *
 * dial.c has the phases up to HANDSHAKE, session.c OPEN, LINGERING and CLOSING. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/awake_clock.h"
#include "client/backoff.h"
#include "client/client.h"
#include "client/liveness.h"
#include "client/net/handshake.h"
#include "client/net/http_answer.h"
#include "client/net/opener.h"
#include "client/net/transport.h"
#include "client/v1/conversation.h"
#include "client/websocket.h"

enum connection_sizes {
    CONNECTION_FDS_MAX = OPENER_FDS_MAX,
    /* Request line and target, token, user agent, and the fixed lines. */
    CONNECTION_REQUEST_SIZE = URL_TARGET_SIZE + 8192 + 1024,
};

enum phase {
    PHASE_START,
    PHASE_DIAL,
    PHASE_ACCESS,
    PHASE_HANDSHAKE,
    PHASE_OPEN,
    PHASE_LINGERING,
    PHASE_CLOSING,
    PHASE_WAIT,
    PHASE_ENDED,
    PHASE_COUNT,
};

struct connection {
    struct relay_client *client;
    enum phase phase;
    enum relay_client_state state; /* as last announced */
    bool again;                    /* run another turn before waiting */
    struct awake_clock clock;      /* all deadlines use it */
    uint64_t now_ms;               /* start of this turn, by the clock */
    uint64_t deadline_ms;          /* of this attempt, the lingering, the closing, or the wait */
    uint32_t connect_timeout_ms;   /* of this attempt */

    struct backoff backoff;
    uint64_t attempt; /* since the last healthy connection, from 1 */
    struct fault fault;

    /* The current dial. */
    bool for_access; /* true: to the access API; false: to the WebSocket */
    struct url url;
    struct opener opener;
    struct transport transport;
    char request[CONNECTION_REQUEST_SIZE]; /* holds a secret until it is sent */
    size_t request_len, request_sent;
    struct http_answer answer;
    struct handshake handshake;
    bool relay_v1; /* the handshake granted it */

    /* The open connection. */
    struct websocket *websocket;
    struct conversation conversation; /* over relay.v1 */
    struct liveness liveness;
    uint64_t connected_ms;
    struct preamble *preamble; /* preamble that this connection has begun; a reference, or NULL */
    size_t preamble_begun;     /* number of its messages begun */
    bool last_words;           /* LINGERING: a part of our Close is still to be sent */
    uint64_t looked_ns;        /* monotonic: when data that had come was last read */
    uint64_t arrived_ns; /* not 0: this thread did not run for a while, and the data being read may
                            have come at any time since then */
};

/* Runs until the client is stopped or gives up. */
void connection_run(struct relay_client *client);

/* For the phases. */

void connection_enter(struct connection *connection, enum phase phase);

/* Announces a state that is not WAITING or FAILED. */
void connection_announce(struct connection *connection, enum relay_client_state state,
                         const char *message);

/* Drops the connection for the reason in fault; waits for the next attempt or gives up. The phase
 * must return at once. */
void connection_fail(struct connection *connection);

/* The poll_fds of a phase that waits for the open transport only. */
unsigned connection_poll_transport(const struct connection *connection, struct pollfd *fds);

/* One phase: all members but on_turn may be NULL. */
struct phase_ops {
    void (*on_enter)(struct connection *connection);
    /* Does all work that needs no waiting. */
    void (*on_turn)(struct connection *connection);
    /* Fills the descriptors to poll, up to CONNECTION_FDS_MAX; returns their number. */
    unsigned (*poll_fds)(const struct connection *connection, struct pollfd *fds);
    /* Deadline of the next turn if nothing becomes ready. */
    uint64_t (*wake_ms)(const struct connection *connection);
    /* The missing event to report when the attempt times out; NULL: no limit. */
    const char *(*missing)(const struct connection *connection);
};

extern const struct phase_ops phase_start, phase_dial, phase_access, phase_handshake, phase_open,
    phase_lingering, phase_closing;
