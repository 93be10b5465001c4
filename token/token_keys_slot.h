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

/* With a reference for the caller to give back by token_keys_unref. */
MUST_USE struct token_keys *token_keys_slot_get(struct token_keys_slot *slot);

/* Takes keys; the old set lives on with those who verify by it. */
void token_keys_slot_replace(struct token_keys_slot *slot, struct token_keys *keys);
