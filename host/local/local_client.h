/* A WebSocket of a local program on /ws/{feed}: both directions, any number on one feed. Takes over
 * the socket after the upgrade was answered, and frees itself at its end. Host's thread only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/list.h"
#include "host/feed/feed.h"
#include "host/loop/loop.h"

enum local_client_limits {
    LOCAL_CLIENT_BUDGET_BYTES = 64 * 1024 * 1024, /* of all clients' messages that are arriving */
    LOCAL_CLIENT_CONTROL_BYTES_MAX = 4096,        /* of pongs that wait; more are dropped */
    LOCAL_CLIENT_TURN_BYTES_MAX = 256 * 1024,
};

enum local_client_times {
    LOCAL_CLIENT_PING_MS = 54000,
    LOCAL_CLIENT_PONG_MS = 60000,  /* without a pong for so long: cut */
    LOCAL_CLIENT_STALL_MS = 10000, /* the same if nothing can be written */
    LOCAL_CLIENT_CLOSE_MS = 1000,  /* for the answer to our Close, and for its end */
};

/* All clients of a host; each takes its place in the list. */
struct local_client_list {
    struct loop *loop;
    struct feed_table *feeds;
    uint64_t queue_age_max_ms;
    struct list all;
    unsigned count;
    size_t budget;    /* what is left of it */
    uint64_t dropped; /* messages for clients that were too slow, of those that are gone */
    void (*on_closed)(struct local_client_list *clients); /* a client has gone; may be NULL */
};

void local_client_list_init(struct local_client_list *clients, struct loop *loop,
                            struct feed_table *feeds, uint64_t queue_age_max_ms);

/* A Close with 1001 to all; they go within LOCAL_CLIENT_CLOSE_MS. */
void local_client_list_close(struct local_client_list *clients);

/* Ends those that are left, without a Close. */
void local_client_list_deinit(struct local_client_list *clients);

/* Takes over the socket. leftover: what followed the request. false: no memory, and the socket is
 * closed. */
bool local_client_open(struct local_client_list *clients, int fd, const char *feed,
                       bool may_command, struct bytes leftover);
