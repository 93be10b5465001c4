/* The present key set of a running server: workers take it, a reload replaces it. Any thread. */
#pragma once

#include <pthread.h>

#include "base/attributes.h"
#include "token/token_keys.h"

struct token_keys_slot {
    pthread_mutex_t mutex;
    struct token_keys *keys;
};

void token_keys_slot_init(struct token_keys_slot *slot, struct token_keys *keys); /* takes keys */
void token_keys_slot_deinit(struct token_keys_slot *slot);

/* Returns a reference that the caller releases with token_keys_unref. */
MUST_USE struct token_keys *token_keys_slot_get(struct token_keys_slot *slot);

/* Takes ownership of keys; verifiers in progress keep the old set alive. */
void token_keys_slot_replace(struct token_keys_slot *slot, struct token_keys *keys);
