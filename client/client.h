/* State shared by the public functions (relay_client.c, any thread) and the client's own thread
 * (connection.c and below). Members under "guarded" need the mutex; no callback runs with it
 * held.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/net/fault.h"
#include "client/queue/hold.h"
#include "client/queue/inbox.h"
#include "client/queue/ring.h"
#include "client/relay_client.h"
#include "client/settings.h"
#include "client/v1/hop_latency.h"

/* The application wants to say this over relay.v1. */
enum client_wish {
    CLIENT_WISH_TOKEN = 1u << 0, /* another token was set */
    CLIENT_WISH_GIVE_LEASE = 1u << 1,
    CLIENT_WISH_LEASE = 1u << 2,
    CLIENT_WISH_KEYFRAME = 1u << 3,
    CLIENT_WISH_REPORT = 1u << 4,
};

struct relay_client {
    struct settings settings;
    struct relay_client_callbacks callbacks;
    int wake_fd; /* eventfd the client's thread polls */

    /* Serialises start and stop; taken before the mutex. */
    pthread_mutex_t life_mutex;
    pthread_t thread;
    bool started;

    pthread_mutex_t mutex;
    pthread_cond_t changed; /* state, room in the ring, the inbox, waits_cancelled */

    /* Guarded. */
    struct ring ring;
    struct hold hold;
    struct inbox inbox; /* empty unless settings.inbox has room */
    enum relay_client_state state;
    struct relay_client_statistics statistics; /* counters; the rest is filled in on request */
    uint64_t send_latency_sum_ns;
    uint64_t begun_bytes;     /* bytes of the oldest message that the kernel has already */
    uint64_t connected_at_ns; /* monotonic; 0: not connected */
    int connected_fd;         /* for SIOCOUTQ; -1: none */
    char *token, *token_file; /* NULL: none */
    bool stopping;
    uint32_t linger_ms;
    uint16_t close_code; /* of the Close at a stop */
    bool waits_cancelled;
    bool queue_while_disconnected;
    struct settings_timing timing;
    bool keyframe_wanted;      /* the ring lost something since the callback last ran */
    struct preamble *preamble; /* of future messages; a reference, or NULL */
    bool wake_sent;            /* the eventfd is already readable */
    struct hop_latency latency;

    unsigned wishes; /* enum client_wish */
    struct relay_client_report report;
};

/* A copy. Takes the mutex. */
struct settings_timing client_timing(struct relay_client *client);

/* Wakes the client's thread. With the mutex held. */
void client_wake(struct relay_client *client);

/* Call when the client's thread has seen the wake-up. Takes the mutex; true when it must stop. */
bool client_wake_taken(struct relay_client *client, uint32_t *ret_linger_ms);

/* Notes the state and tells the callback. Without the mutex. */
void client_enter_state(struct relay_client *client, const struct relay_client_event *event);

/* Puts the message into the ring, or frees it: as ring_push. With the mutex held. */
MUST_USE int client_queue(struct relay_client *client, struct ring_message *message,
                          uint64_t now_ns);

/* Whether there are viewers from now on: messages on demand that were kept for them are queued, or
 * those that are queued are kept for them. With the mutex held. */
void client_watch(struct relay_client *client, bool watched);

/* The wishes of the application. Takes the mutex. */
unsigned client_wishes(struct relay_client *client);

/* A wish is being carried out. Takes the mutex; the report at this time. */
struct relay_client_report client_wish_take(struct relay_client *client, enum client_wish wish);

/* A copy of the token for one access request, from memory or file; the caller releases it. */
MUST_USE enum progress client_token_take(struct relay_client *client, char **ret_token,
                                         struct fault *fault);
