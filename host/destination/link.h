/* The connection of a destination: a relay client, and what it received, on its way to the host's
 * thread. Made, used and closed on the host's thread; the client's thread fills it. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "client/relay_client.h"
#include "host/feed/parcel.h"

enum link_times {
    LINK_RETRY_MS = 1000, /* the first wait; doubles up to: */
    LINK_RETRY_MAX_MS = 10000,
    LINK_PING_MS = 20000,  /* with the limit below a dead peer is found within 30 s */
    LINK_STALL_MS = 10000, /* no pong, no progress */
    LINK_LINGER_MS = 500,  /* for the peer's Close */
    LINK_WARN_AGAIN_MS = 600000,
    LINK_HOLD_MS = 10000, /* the age of the key picture that the first viewer begins with */
};

/* All links of a host, and the descriptor by which they wake it. */
struct link_group {
    int wake_fd; /* an eventfd that the host polls; -1: none */
    unsigned closing;
    pthread_mutex_t mutex; /* guards closing */
    pthread_cond_t closed; /* closing has fallen */
};

/* Borrowed texts, copied. */
struct link_options {
    const char *id; /* for the log */
    const char *destination;
    const char *token, *token_file; /* one of them, or empty: dialled directly */
    const char *ca_file;            /* NULL: the system's store */
    uint64_t queue_age_max_ms;
    bool on_demand; /* no video is sent while the relay says there are no viewers */
};

struct link;

/* 0 or -errno. */
MUST_USE int link_group_init(struct link_group *links);

/* Waits until all links are closed, at most timeout_ms. False: one hangs, and still uses *links. */
MUST_USE bool link_group_deinit(struct link_group *links, uint32_t timeout_ms);

/* After the descriptor was readable. */
void link_group_wake_taken(struct link_group *links);

/* NULL: error says why. */
MUST_USE struct link *link_open(struct link_group *links, const struct link_options *options,
                                char error[static RELAY_CLIENT_ERROR_SIZE]);

/* Begins the end and returns: a thread sends the Close and frees the link. Accepts NULL. */
void link_close(struct link *link, uint16_t code);

/* False: not taken, as when it is not UTF-8 text of a text message: sent as a binary one then. */
bool link_send(struct link *link, const struct parcel *message);

/* The oldest message received, with a reference; NULL: nothing more. */
MUST_USE struct parcel *link_receive(struct link *link, uint64_t now_ms);

void link_statistics(struct link *link, struct relay_client_statistics *ret_statistics);

/* Messages received that were dropped before the host took them. */
uint64_t link_dropped(struct link *link);
