/* Clients that come one after the other, as fast as a server lets them in, and leave at once: the
 * price of a join. Main thread; blocks. */
#pragma once

#include <stdint.h>

#include "base/attributes.h"
#include "perf/load/histogram.h"
#include "perf/load/load_session.h"
#include "perf/target/process.h"

enum connect_limits {
    CONNECTS_MAX = 1000000,
    CONNECT_AT_ONCE_MAX = 64,
};

enum connect_kind {
    CONNECT_HANDSHAKE, /* TCP and TLS, and nothing asked; only with a TLS session */
    CONNECT_JOIN,      /* a token for an address, and a WebSocket there: two connections */
    CONNECT_KINDS,
};

const char *connect_kind_text(enum connect_kind kind);

struct connect_config {
    struct load_session session; /* used by all threads at once */
    struct process_set server;
    enum connect_kind kind;
    unsigned count;
    unsigned at_once; /* threads, each with one connection at a time */
};

struct connect_result {
    unsigned done;
    unsigned failed;
    char failure[LOAD_TRANSPORT_ERROR_SIZE]; /* the first reason; empty: none failed */
    uint64_t wall_ns;                        /* until the last was done */
    uint64_t server_cpu_ns;
    struct histogram each_ns;
};

/* Returns 0, also when some failed, or -errno with a reason in error. */
MUST_USE int connect_run(const struct connect_config *config, struct connect_result *ret_result,
                         char error[static LOAD_TRANSPORT_ERROR_SIZE]);
