#include "host/feed/parcel_queue.h"

#include <stdlib.h>

#include "base/check.h"

void parcel_queue_init(struct parcel_queue *queue, uint64_t age_max_ms)
{
    *queue = (struct parcel_queue){.age_max_ms = age_max_ms};
}

static struct parcel *take(struct parcel_queue *queue)
{
    CHECK(queue->count > 0);
    struct parcel *message = queue->slots[queue->head];

    queue->head = (queue->head + 1) % PARCEL_QUEUE_MESSAGES_MAX;
    queue->count--;
    queue->bytes -= message->len;
    return message;
}

static void drop_oldest(struct parcel_queue *queue)
{
    queue->dropped++;
    parcel_unref(take(queue));
}

void parcel_queue_deinit(struct parcel_queue *queue)
{
    while (queue->count > 0) {
        parcel_unref(take(queue));
    }
    free(queue->slots);
    queue->slots = NULL;
}

bool parcel_queue_push(struct parcel_queue *queue, struct parcel *message)
{
    if (queue->slots == NULL) {
        queue->slots = calloc(PARCEL_QUEUE_MESSAGES_MAX, sizeof *queue->slots);
    }
    if (queue->slots == NULL) {
        queue->dropped++;
        parcel_unref(message);
        return false;
    }
    /* A message larger than the bound is taken when the queue is empty. */
    while (queue->count > 0 && (queue->count == PARCEL_QUEUE_MESSAGES_MAX ||
                                queue->bytes + message->len > PARCEL_QUEUE_BYTES_MAX)) {
        drop_oldest(queue);
    }
    queue->slots[(queue->head + queue->count) % PARCEL_QUEUE_MESSAGES_MAX] = message;
    queue->count++;
    queue->bytes += message->len;
    return true;
}

struct parcel *parcel_queue_pop(struct parcel_queue *queue, uint64_t now_ms)
{
    while (queue->count > 0 && queue->age_max_ms > 0 &&
           now_ms > queue->slots[queue->head]->made_ms + queue->age_max_ms) {
        drop_oldest(queue);
    }
    return queue->count == 0 ? NULL : take(queue);
}
