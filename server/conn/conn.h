/* One connection: a descriptor, one phase at a time, and every operation the kernel may hold for
 * it. Its worker owns it; no other thread touches it. It comes from the worker's table and goes
 * back there only in close.c, when nothing is in flight any more. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "server/conn/conn_table.h"
#include "server/conn/conn_tls.h"
#include "server/conn/receive_place.h"
#include "server/hub/subscriber.h"
#include "server/stats/close_reason.h"

enum conn_phase {
    PHASE_FREE,
    PHASE_TLS,
    PHASE_HTTP,
    PHASE_WEBSOCKET,
    PHASE_CLOSING,
    PHASE_COUNT,
};

/* Room for what a phase keeps about a connection; its type stands in the phase's own header, with a
 * function x_of(conn) that gives it. */
enum { PHASE_STATE_BYTES = 400 };

struct transport_ops;

struct conn {
    enum conn_phase phase;
    int fd;
    struct worker *worker;
    struct conn_table *table;
    enum listener_role role;
    enum close_reason close_reason; /* the first one, while PHASE_CLOSING or ends_later */
    struct op recv_op, send_op, notify_op, cancel_receive_op, cancel_send_op, close_op;
    struct receive_place place; /* of the receive in flight; share NULL: in a buffer of the pool */
    bool has_place;             /* counts among the connections; not once evicted or moved */
    bool awaits_answer;         /* deferred.h; false when the phase is left */
    bool is_held;               /* hold.h; the same */
    bool ends_later;            /* it was asked to, for close_reason, while it was held */
    bool peer_ended;            /* its FIN or close_notify came */
    bool receive_blocked;       /* receiving would break the connection (TLS key change) */
    bool notify_submitted;      /* close_notify */
    bool fin_sent;              /* our direction of TCP ended */
    bool discard_unsent;        /* the peer takes nothing: the close resets */
    bool close_submitted;       /* the descriptor is being closed: nothing may be started */
    bool cancels_again;         /* the close began while the cancels of a hold were in flight */
    uint32_t given;             /* to another program: 1 + its number there; 0: it is not */
    const struct transport_ops *transport; /* transport.h */
    struct conn_tls tls;
    struct subscriber subscriber;       /* its queue holds everything that is sent, HTTP too */
    struct timer deadline;              /* of the phase: request, send progress, end of closing */
    struct timer liveness;              /* pings */
    struct timer expiry;                /* of the token */
    uint64_t send_progress_ms;          /* the kernel took bytes */
    uint64_t bytes_acked;               /* by the peer's TCP, when it was looked at last */
    uint64_t taken_ms;                  /* when a look found that they had grown; 0: none did */
    uint64_t messages_sent, bytes_sent; /* data messages; bytes of everything */
    uint64_t first_sent_ms, last_sent_ms;
    struct unfinished_entry unfinished; /* while it is no WebSocket yet */
    struct list booking_node;           /* in its table's bucket, while PHASE_WEBSOCKET */
    uint64_t serial;                    /* a new one for each connection */
    struct list open_node;              /* all open connections */
    struct list ready_node;             /* something is queued and no send is in flight */
    struct list paced_node;             /* its inbox waits for a turn: it sends too fast */
    struct list starved_node;           /* the receive pool was empty */
    _Alignas(16) uint8_t phase_state[PHASE_STATE_BYTES]; /* of the phase; dies when it is left */
};

/* A connection between two requests, or before its first. */
struct conn_rest {
    struct bytes unread; /* received, and not looked at */
    bool answered;       /* at least one request was */
    uint64_t due_ms;     /* then it ends without another one */
};

/* The operations of a phase; NULL: it does nothing. */
struct phase_ops {
    void (*on_enter)(struct conn *conn);
    void (*on_bytes)(struct conn *conn, struct bytes bytes);
    /* Whether it takes more bytes now. NULL: it always does. */
    bool (*wants_bytes)(const struct conn *conn);
    /* Where the bytes that come next belong, as they are, when there are many. False: they go
     * through on_bytes. on_placed: the first len of them have come there. NULL: nowhere. */
    bool (*place)(struct conn *conn, struct receive_place *ret_place);
    void (*on_placed)(struct conn *conn, size_t len);
    void (*on_turn)(struct conn *conn); /* after unfinished_await_turn, or of a paced_node */
    void (*on_sent)(struct conn *conn); /* the queue ran empty */
    void (*on_eof)(struct conn *conn);
    void (*on_deadline)(struct conn *conn);
    /* It is broken, and ends at once. */
    void (*on_failed)(struct conn *conn, enum close_reason reason);
    /* After each completion of an operation of its; may release it. NULL: goes on. */
    void (*on_completed)(struct conn *conn);
    /* Asked from outside to end: CLOSE_DRAIN, CLOSE_DENIED (a WebSocket), CLOSE_REKEY. */
    void (*on_end)(struct conn *conn, enum close_reason reason);
    void (*on_resumed)(struct conn *conn); /* it was held; hold.h */
    /* Whether it rests: then it may be held. NULL: that may be at any time. */
    bool (*rests)(const struct conn *conn, struct conn_rest *ret_rest);
    /* In this phase, and held: it rested so in another program. False: no memory. */
    bool (*on_returned)(struct conn *conn, const struct conn_rest *rest);
    void (*on_leave)(struct conn *conn);
};

/* The last one; the others are above this folder, and handed down in conn_shared.phases. */
extern const struct phase_ops phase_closing_ops;

void conn_enter_phase(struct conn *conn, enum conn_phase phase);
const struct phase_ops *conn_phase_ops(const struct conn *conn);

/* The phase's on_end, on_failed and on_completed. After conn_completed the connection may be gone.
 */
void conn_end(struct conn *conn, enum close_reason reason);
void conn_fail(struct conn *conn, enum close_reason reason);
void conn_completed(struct conn *conn);
