#include "server/loop/outbox.h"

#include <stddef.h>

#include "base/check.h"

/* Release: what this worker wrote is seen where outbox_next acquires. */
static void link_to(struct outbox_item *item, struct outbox_item *next)
{
    atomic_store_explicit(&item->next, next, memory_order_release);
}

void outbox_add(struct outbox *outbox, struct outbox_item *item)
{
    link_to(item, NULL);
    if (outbox->first == NULL) {
        outbox->first = item;
    } else {
        link_to(outbox->last, item);
    }
    outbox->last = item;
}

struct outbox_item *outbox_take(struct outbox *outbox)
{
    struct outbox_item *first = outbox->first;

    outbox->first = outbox->last = NULL;
    return first;
}

void outbox_add_homeward(struct outbox *outbox, unsigned home, struct outbox_item *item,
                         bool may_wait)
{
    CHECK(home < OUTBOX_HOMES);
    if (!may_wait || outbox->homeward[home] != NULL) {
        outbox->due |= UINT64_C(1) << home;
    }
    link_to(item, outbox->homeward[home]);
    outbox->homeward[home] = item;
    outbox->homes |= UINT64_C(1) << home;
}

struct outbox_item *outbox_take_homeward(struct outbox *outbox, unsigned *ret_home)
{
    if (outbox->due == 0) {
        outbox->due = outbox->homes;
        return NULL;
    }
    unsigned home = (unsigned)__builtin_ctzll(outbox->due);
    struct outbox_item *items = outbox->homeward[home];

    outbox->homes &= ~(UINT64_C(1) << home);
    outbox->due &= outbox->due - 1;
    outbox->homeward[home] = NULL;
    *ret_home = home;
    return items;
}

void outbox_hurry(struct outbox *outbox)
{
    outbox->due = outbox->homes;
}

struct outbox_item *outbox_next(const struct outbox_item *item)
{
    return atomic_load_explicit(&item->next, memory_order_acquire);
}
