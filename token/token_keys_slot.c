#include "token/token_keys_slot.h"

#include "base/check.h"

void token_keys_slot_init(struct token_keys_slot *slot, struct token_keys *keys)
{
    CHECK(pthread_mutex_init(&slot->mutex, NULL) == 0);
    slot->keys = keys;
}

void token_keys_slot_deinit(struct token_keys_slot *slot)
{
    token_keys_unref(slot->keys);
    slot->keys = NULL;
    pthread_mutex_destroy(&slot->mutex);
}

struct token_keys *token_keys_slot_get(struct token_keys_slot *slot)
{
    pthread_mutex_lock(&slot->mutex);
    struct token_keys *keys = token_keys_ref(slot->keys);

    pthread_mutex_unlock(&slot->mutex);
    return keys;
}

void token_keys_slot_replace(struct token_keys_slot *slot, struct token_keys *keys)
{
    pthread_mutex_lock(&slot->mutex);
    struct token_keys *old = slot->keys;

    slot->keys = keys;
    pthread_mutex_unlock(&slot->mutex);
    token_keys_unref(old);
}
