/* Goal: order is kept, and the oldest go first at each bound: number, bytes, age. */
#include "host/feed/parcel_queue.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct parcel *made(size_t len, uint64_t now_ms)
{
    uint8_t *content = calloc(1, len + 1);
    struct parcel *parcel = parcel_create(PARCEL_BINARY, bytes_of(content, len), now_ms);

    free(content);
    return parcel;
}

static uint64_t pop(struct parcel_queue *queue, uint64_t now_ms)
{
    struct parcel *parcel = parcel_queue_pop(queue, now_ms);
    uint64_t made_ms = parcel == NULL ? UINT64_MAX : parcel->made_ms;

    parcel_unref(parcel);
    return made_ms;
}

Test(parcel_queue, drops_the_oldest_above_its_number)
{
    struct parcel_queue queue;

    parcel_queue_init(&queue, 0);
    for (uint64_t i = 0; i < PARCEL_QUEUE_MESSAGES_MAX + 3; i++) {
        cr_assert(parcel_queue_push(&queue, made(1, i)));
    }
    cr_assert_eq(queue.dropped, 3);
    for (uint64_t i = 3; i < PARCEL_QUEUE_MESSAGES_MAX + 3; i++) {
        cr_assert_eq(pop(&queue, 1u << 20), i);
    }
    cr_assert_eq(pop(&queue, 0), UINT64_MAX);
    cr_assert_eq(queue.bytes, 0);
    parcel_queue_deinit(&queue);
}

Test(parcel_queue, drops_the_oldest_above_its_bytes_but_takes_the_largest_message)
{
    struct parcel_queue queue;

    parcel_queue_init(&queue, 0);
    cr_assert(parcel_queue_push(&queue, made(PARCEL_BYTES_MAX, 0)));
    cr_assert(parcel_queue_push(&queue, made(1, 1)));
    cr_assert(parcel_queue_push(&queue, made(PARCEL_BYTES_MAX, 2)));
    cr_assert_eq(queue.dropped, 1);
    cr_assert_eq(pop(&queue, 0), 1);
    cr_assert_eq(pop(&queue, 0), 2);
    cr_assert(parcel_queue_push(&queue, made(1, 3)));
    parcel_queue_deinit(&queue);
}

Test(parcel_queue, drops_what_is_too_old)
{
    struct parcel_queue queue;

    parcel_queue_init(&queue, 100);
    for (uint64_t made_ms = 0; made_ms <= 200; made_ms += 50) {
        cr_assert(parcel_queue_push(&queue, made(1, made_ms)));
    }
    cr_assert_eq(pop(&queue, 200), 100);
    cr_assert_eq(queue.dropped, 2);
    cr_assert_eq(pop(&queue, 1000), UINT64_MAX);
    cr_assert_eq(queue.dropped, 4);
    parcel_queue_deinit(&queue);
}
