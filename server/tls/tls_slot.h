/* The current certificates of a running server: workers take a reference, a reload replaces them.
 * Any thread; never blocks for long. */
#pragma once

#include <pthread.h>

#include "server/tls/tls_context.h"

struct tls_slot {
    pthread_mutex_t mutex;
    struct tls_context *context;
};
void tls_slot_init(struct tls_slot *slot, struct tls_context *context); /* takes the reference */
void tls_slot_deinit(struct tls_slot *slot);
/* Returns a reference for the caller. */
struct tls_context *tls_slot_get(struct tls_slot *slot);
/* Takes the reference; handshakes in progress keep the old set alive. */
void tls_slot_replace(struct tls_slot *slot, struct tls_context *context);
