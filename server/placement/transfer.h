/* A connection moves to another worker: its socket, the bytes that came and are not used yet, and
 * what its transport keeps. It moves while the kernel holds no operation of it, and nothing is to
 * be sent. The connection that it was waits meanwhile, with everything in its place; only the other
 * worker uses it then. When that has taken it, the first one is released without a close; when it
 * refuses, the first one goes on. None is lost for want of a place on the other worker.
 * On the worker that each function names; never blocks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "server/conn/conn.h"

enum transfer_limits {
    TRANSFERS_MAX = 256, /* on their way from one worker; more stay there */
};

struct transfer;

struct transfer_ops {
    /* Whether it may come now, on the worker where it would. */
    bool (*may_arrive)(const struct conn_table *table, const struct transfer *transfer);
    /* There: conn is what it is from now on, in PHASE_HTTP; transfer->rest is still to be used. */
    void (*on_arrived)(struct conn *conn, struct transfer *transfer);
    /* Where it came from, at the end. conn: the one that waited, which goes on; NULL: it is gone.
     */
    void (*on_returned)(struct conn *conn, struct transfer *transfer);
};

/* Its owner embeds it, and keeps it until on_returned. */
struct transfer {
    struct call call; /* there and back */
    const struct transfer_ops *ops;
    struct conn *from; /* it waits; not touched but by its worker */
    struct worker *home;
    bool is_taken;
    struct bytes rest; /* behind what the peer asked; of the connection that waits */
    int fd;
    enum listener_role role;
    const struct transport_ops *transport;
    const struct conn_tls *tls; /* of the connection that waits */
    uint64_t messages_sent, bytes_sent, bytes_acked, taken_ms;
    uint64_t send_progress_ms, first_sent_ms, last_sent_ms;
};

/* Whether it may leave: the kernel holds nothing of it, and no bound is reached. On its worker. */
MUST_USE bool transfer_may_begin(const struct conn *conn, const struct worker *target);

/* From PHASE_HTTP; it waits for an answer (conn.awaits_answer) until on_returned. Its phase neither
 * receives nor gives up rest. */
void transfer_begin(struct transfer *transfer, struct conn *conn, struct worker *target,
                    struct bytes rest, const struct transfer_ops *ops);
