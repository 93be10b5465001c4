#include "server/tls/tls_slot.h"

void tls_slot_init(struct tls_slot *slot, struct tls_context *context)
{
    pthread_mutex_init(&slot->mutex, NULL);
    slot->context = context;
}

void tls_slot_deinit(struct tls_slot *slot)
{
    tls_context_unref(slot->context);
    slot->context = NULL;
    pthread_mutex_destroy(&slot->mutex);
}

struct tls_context *tls_slot_get(struct tls_slot *slot)
{
    pthread_mutex_lock(&slot->mutex);
    struct tls_context *context = tls_context_ref(slot->context);

    pthread_mutex_unlock(&slot->mutex);
    return context;
}

void tls_slot_replace(struct tls_slot *slot, struct tls_context *context)
{
    pthread_mutex_lock(&slot->mutex);
    struct tls_context *old = slot->context;

    slot->context = context;
    pthread_mutex_unlock(&slot->mutex);
    tls_context_unref(old);
}
