/* Goal: message memory has the promised sizes, is reused, stays within its bound, and every block
 * is accounted for.
 * Method: each class at its edges, the bound from both sides, and random takes and puts against a
 * plain sum. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "server/hub/message.h"
#include "server/loop/block_pool.h"

enum { LARGEST = 16 * 1024 * 1024, PLENTY = 1 << 30 };

Test(block_pool, gives_what_was_asked_for_and_at_most_a_quarter_more)
{
    struct block_pool pool;

    block_pool_init(&pool, PLENTY);
    for (size_t size = 0; size <= LARGEST; size += size < 5000 ? 1 : size / 7) {
        void *block = block_pool_take(&pool, size);

        cr_assert_not_null(block);
        cr_assert_eq((uintptr_t)block % 16, 0, "%zu bytes are not aligned", size);
        cr_assert_geq(block_pool_capacity(block), size);
        if (size > BLOCK_CLASS_BYTES_MIN) {
            cr_assert_leq(block_pool_capacity(block) * 4, size * 5, "%zu became %zu", size,
                          block_pool_capacity(block));
        }
        memset(block, 0xa5, block_pool_capacity(block));
        block_pool_put(&pool, block);
        block_pool_trim(&pool, 0);
    }
    block_pool_deinit(&pool);
}

Test(block_pool, has_classes_that_end_exactly_at_their_capacity)
{
    struct block_pool pool;
    size_t size = 1;
    unsigned classes = 0;

    block_pool_init(&pool, PLENTY);
    while (size <= LARGEST) {
        void *block = block_pool_take(&pool, size);
        size_t capacity = block_pool_capacity(block);
        void *same = block_pool_take(&pool, capacity);

        cr_assert_eq(block_pool_capacity(same), capacity);
        block_pool_put(&pool, block);
        block_pool_put(&pool, same);
        size = capacity + 1;
        classes++;
    }
    cr_assert_eq(classes, BLOCK_CLASSES);
    cr_assert_eq(size, (size_t)LARGEST + 1);
    block_pool_deinit(&pool);
}

Test(block_pool, holds_the_largest_message)
{
    struct block_pool pool;

    block_pool_init(&pool, PLENTY);
    void *block = block_pool_take(&pool, MESSAGE_BYTES_MAX + 4096);

    cr_assert_not_null(block);
    block_pool_put(&pool, block);
    block_pool_deinit(&pool);
}

Test(block_pool, uses_a_block_that_came_back_again)
{
    struct block_pool pool;

    block_pool_init(&pool, PLENTY);
    void *first = block_pool_take(&pool, 1000);
    size_t held = pool.bytes_held;

    for (int i = 0; i < 10; i++) {
        block_pool_put(&pool, first);
        cr_assert_eq(pool.blocks_used, 0);
        cr_assert_eq(pool.bytes_free, held);
        cr_assert_eq(block_pool_take(&pool, 990), first);
        cr_assert_eq(pool.blocks_used, 1);
        cr_assert_eq(pool.bytes_free, 0);
        cr_assert_eq(pool.bytes_held, held);
    }
    /* Another class finds nothing to reuse. */
    void *larger = block_pool_take(&pool, 2000);

    cr_assert_neq(larger, first);
    cr_assert_gt(pool.bytes_held, held);
    block_pool_put(&pool, larger);
    block_pool_put(&pool, first);
    block_pool_deinit(&pool);
}

Test(block_pool, stops_at_its_bound_and_goes_on_when_a_block_came_back)
{
    struct block_pool pool;
    void *blocks[64];
    unsigned count = 0;

    block_pool_init(&pool, 10 * 1024);
    while (count < 64 && (blocks[count] = block_pool_take(&pool, 1024)) != NULL) {
        count++;
        cr_assert_leq(pool.bytes_held, pool.bytes_max);
    }
    cr_assert_eq(count, 9, "ten do not fit with their headers, nine do");
    cr_assert_eq(pool.blocks_used, 9);
    cr_assert_null(block_pool_take(&pool, 1024), "still nothing");
    block_pool_put(&pool, blocks[3]);
    blocks[3] = block_pool_take(&pool, 1024);
    cr_assert_not_null(blocks[3]);
    cr_assert_null(block_pool_take(&pool, 1024));
    for (unsigned i = 0; i < count; i++) {
        block_pool_put(&pool, blocks[i]);
    }
    cr_assert_eq(pool.blocks_used, 0);
    block_pool_deinit(&pool);
}

Test(block_pool, gives_up_kept_blocks_of_other_sizes_before_it_refuses)
{
    struct block_pool pool;
    void *blocks[8];

    block_pool_init(&pool, 10 * 1024);
    for (unsigned i = 0; i < 8; i++) {
        blocks[i] = block_pool_take(&pool, 1024);
        cr_assert_not_null(blocks[i]);
    }
    cr_assert_null(block_pool_take(&pool, 4096), "all of it is out");
    for (unsigned i = 0; i < 4; i++) {
        block_pool_put(&pool, blocks[i]);
    }
    void *larger = block_pool_take(&pool, 4096);

    cr_assert_not_null(larger);
    cr_assert_leq(pool.bytes_held, pool.bytes_max);
    cr_assert_null(block_pool_take(&pool, LARGEST), "more than the bound altogether");
    block_pool_put(&pool, larger);
    for (unsigned i = 4; i < 8; i++) {
        block_pool_put(&pool, blocks[i]);
    }
    block_pool_deinit(&pool);
}

Test(block_pool, keeps_its_reserve_for_what_must_go_on)
{
    struct block_pool pool;
    void *data[16], *small[16];
    unsigned data_count = 0, small_count = 0;

    block_pool_init(&pool, 10 * 1024);
    block_pool_reserve(&pool, 3 * 1024);
    while ((data[data_count] = block_pool_take(&pool, 1024)) != NULL) {
        data_count++;
    }
    cr_assert_eq(data_count, 6, "7 KiB less headers");
    while ((small[small_count] = block_pool_take_reserved(&pool, 1024)) != NULL) {
        small_count++;
    }
    cr_assert_eq(small_count, 3);
    cr_assert_leq(pool.bytes_held, pool.bytes_max);
    block_pool_put(&pool, small[--small_count]);
    block_pool_put(&pool, data[--data_count]);
    cr_assert_eq(pool.blocks_used, data_count + small_count);
    while (data_count > 0) {
        block_pool_put(&pool, data[--data_count]);
    }
    while (small_count > 0) {
        block_pool_put(&pool, small[--small_count]);
    }
    block_pool_deinit(&pool);
}

Test(block_pool, keeps_its_reserve_although_blocks_of_it_were_given_back)
{
    struct block_pool pool;
    void *data[16], *small[3];
    unsigned data_count = 0;

    block_pool_init(&pool, 10 * 1024);
    block_pool_reserve(&pool, 4 * 1024);
    for (unsigned i = 0; i < 3; i++) {
        small[i] = block_pool_take_reserved(&pool, 1024);
        cr_assert_not_null(small[i]);
    }
    for (unsigned i = 0; i < 3; i++) {
        block_pool_put(&pool, small[i]);
    }
    while ((data[data_count] = block_pool_take(&pool, 1024)) != NULL) {
        data_count++;
    }
    cr_assert_eq(data_count, 5, "6 KiB less headers");
    cr_assert_lt(block_pool_left(&pool), 1024 + 64);
    for (unsigned i = 0; i < 3; i++) {
        small[i] = block_pool_take_reserved(&pool, 1024);
        cr_assert_not_null(small[i], "data used the reserve up");
    }
    while (data_count > 0) {
        block_pool_put(&pool, data[--data_count]);
    }
    for (unsigned i = 0; i < 3; i++) {
        block_pool_put(&pool, small[i]);
    }
    block_pool_deinit(&pool);
}

Test(block_pool, reserve_may_be_used_for_a_block_that_was_kept)
{
    struct block_pool pool;

    block_pool_init(&pool, 10 * 1024);
    block_pool_reserve(&pool, 9 * 1024);
    cr_assert_null(block_pool_take(&pool, 2048));
    void *block = block_pool_take_reserved(&pool, 2048);

    cr_assert_not_null(block);
    block_pool_put(&pool, block);
    block = block_pool_take_reserved(&pool, 8 * 1024);
    cr_assert_not_null(block, "the kept one was given up for it");
    block_pool_put(&pool, block);
    block_pool_deinit(&pool);
}

Test(block_pool, refuses_a_reserve_of_everything, .signal = SIGABRT)
{
    struct block_pool pool;

    block_pool_init(&pool, 1024);
    block_pool_reserve(&pool, 1024);
}

Test(block_pool, trims_the_largest_first_and_keeps_what_was_allowed)
{
    struct block_pool pool;
    void *blocks[3];
    const size_t sizes[3] = {64, 4096, 65536};

    block_pool_init(&pool, PLENTY);
    for (unsigned i = 0; i < 3; i++) {
        blocks[i] = block_pool_take(&pool, sizes[i]);
    }
    for (unsigned i = 0; i < 3; i++) {
        block_pool_put(&pool, blocks[i]);
    }
    size_t all = pool.bytes_free;

    block_pool_trim(&pool, all);
    cr_assert_eq(pool.bytes_free, all, "nothing is above the limit");
    block_pool_trim(&pool, all - 1);
    cr_assert_lt(pool.bytes_free, all - 65536 + 1, "the largest one went");
    cr_assert_eq(block_pool_take(&pool, 4096), blocks[1], "the others stayed");
    cr_assert_eq(block_pool_take(&pool, 64), blocks[0]);
    block_pool_trim(&pool, 0);
    cr_assert_eq(pool.bytes_free, 0);
    cr_assert_eq(pool.blocks_used, 2, "used blocks are not touched");
    block_pool_put(&pool, blocks[0]);
    block_pool_put(&pool, blocks[1]);
    block_pool_trim(&pool, 0);
    cr_assert_eq(pool.bytes_held, 0);
    block_pool_deinit(&pool);
}

enum { BURST = 1000 };

static void take_burst(struct block_pool *pool, void **blocks, size_t size)
{
    for (unsigned i = 0; i < BURST; i++) {
        blocks[i] = block_pool_take(pool, size);
        cr_assert_not_null(blocks[i]);
    }
}

static void put_burst(struct block_pool *pool, void **blocks)
{
    for (unsigned i = 0; i < BURST; i++) {
        block_pool_put(pool, blocks[i]);
    }
}

/* Until there is no more. */
static size_t give_back_all(struct block_pool *pool)
{
    size_t sum = 0, bytes;

    do {
        unsigned used = (unsigned)pool->blocks_used;

        bytes = block_pool_give_back(pool);
        sum += bytes;
        cr_assert_eq(pool->blocks_used, used);
        cr_assert_lt(bytes, GIVE_BACK_BYTES_MAX + LARGEST + 16);
    } while (bytes > 0);
    return sum;
}

Test(block_pool, gives_a_burst_back_after_a_period_without_use)
{
    struct block_pool pool;
    void *blocks[BURST];

    block_pool_init(&pool, PLENTY);
    take_burst(&pool, blocks, 10000);
    put_burst(&pool, blocks);
    size_t held = pool.bytes_held;

    block_pool_end_period(&pool);
    cr_assert_eq(give_back_all(&pool), 0, "they were of use in it");
    block_pool_end_period(&pool);
    cr_assert_lt(block_pool_give_back(&pool), held / 3, "some at a time");
    cr_assert_gt(pool.bytes_held, 0);
    give_back_all(&pool);
    cr_assert_eq(pool.bytes_held, 0);
    cr_assert_eq(pool.bytes_free, 0);
    block_pool_deinit(&pool);
}

Test(block_pool, keeps_what_a_steady_stream_needs)
{
    struct block_pool pool;
    void *blocks[BURST];

    block_pool_init(&pool, PLENTY);
    take_burst(&pool, blocks, 500);
    put_burst(&pool, blocks);
    for (unsigned period = 0; period < 10; period++) {
        size_t held = pool.bytes_held;

        void *one = block_pool_take(&pool, 500), *other = block_pool_take(&pool, 500);

        block_pool_put(&pool, one);
        block_pool_put(&pool, other);
        block_pool_end_period(&pool);
        give_back_all(&pool);
        cr_assert(period < 2 || pool.bytes_held == held);
    }
    cr_assert_eq(pool.bytes_held, 2 * (512 + 16), "the burst is gone, the stream's blocks are not");
    cr_assert_eq(pool.bytes_free, pool.bytes_held);
    block_pool_deinit(&pool);
}

Test(block_pool, spare_blocks_that_are_of_use_again_are_kept)
{
    struct block_pool pool;
    void *blocks[BURST];

    block_pool_init(&pool, PLENTY);
    take_burst(&pool, blocks, 500);
    put_burst(&pool, blocks);
    block_pool_end_period(&pool);
    block_pool_end_period(&pool);
    size_t held = pool.bytes_held;

    take_burst(&pool, blocks, 500);
    cr_assert_eq(block_pool_give_back(&pool), 0);
    put_burst(&pool, blocks);
    cr_assert_eq(block_pool_give_back(&pool), 0, "the second burst may come a third time");
    cr_assert_eq(pool.bytes_held, held);
    block_pool_end_period(&pool);
    block_pool_end_period(&pool);
    give_back_all(&pool);
    cr_assert_eq(pool.bytes_held, 0);
    block_pool_deinit(&pool);
}

Test(block_pool, gives_large_blocks_back_one_at_a_time)
{
    struct block_pool pool;
    void *blocks[3];

    block_pool_init(&pool, PLENTY);
    for (unsigned i = 0; i < 3; i++) {
        blocks[i] = block_pool_take(&pool, GIVE_BACK_BYTES_MAX);
    }
    for (unsigned i = 0; i < 3; i++) {
        block_pool_put(&pool, blocks[i]);
    }
    block_pool_end_period(&pool);
    block_pool_end_period(&pool);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(block_pool_give_back(&pool), GIVE_BACK_BYTES_MAX + 16);
    }
    cr_assert_eq(block_pool_give_back(&pool), 0);
    block_pool_deinit(&pool);
}

Test(block_pool, accepts_null)
{
    struct block_pool pool;

    block_pool_init(&pool, PLENTY);
    block_pool_put(&pool, NULL);
    cr_assert_eq(pool.blocks_used, 0);
    block_pool_deinit(&pool);
}

Test(block_pool, block_that_grows_keeps_its_bytes_and_is_counted)
{
    struct block_pool pool;

    block_pool_init(&pool, 2 * 1024 * 1024);
    block_pool_reserve(&pool, 64 * 1024);
    uint8_t *kept = block_pool_take(&pool, 500 * 1024);
    uint8_t *block = block_pool_take(&pool, 100);

    cr_assert(kept != NULL && block != NULL);
    block_pool_put(&pool, kept);
    memset(block, 7, 100);
    cr_assert_eq(block_pool_grow(&pool, block, 50), block, "there is room already");
    for (size_t size = 1000; size < 1000 * 1000; size *= 3) {
        block = block_pool_grow(&pool, block, size);
        cr_assert_not_null(block);
        cr_assert_geq(block_pool_capacity(block), size);
        cr_assert(block[0] == 7 && block[99] == 7);
        cr_assert_eq(pool.blocks_used, 1);
        cr_assert_leq(pool.bytes_held, pool.bytes_max);
    }
    size_t left = block_pool_left(&pool);

    cr_assert_null(block_pool_grow(&pool, block, 2 * 1024 * 1024 - 64 * 1024));
    cr_assert_eq(block_pool_left(&pool), left);
    cr_assert_not_null(block = block_pool_grow(&pool, block, 1800 * 1000), "kept ones give way");
    cr_assert_eq(block[99], 7);
    block_pool_put(&pool, block);
    block_pool_deinit(&pool);
}

Test(block_pool, adds_up_under_random_use)
{
    enum { SLOTS = 50, STEPS = 20000 };
    struct block_pool pool;
    uint8_t *blocks[SLOTS] = {0};
    unsigned used = 0, refused = 0;
    size_t given_back = 0;

    srand(7);
    block_pool_init(&pool, 400 * 1024);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned slot = (unsigned)rand() % SLOTS;

        if (blocks[slot] != NULL) {
            size_t capacity = block_pool_capacity(blocks[slot]);

            cr_assert_eq(blocks[slot][0], (uint8_t)slot, "another block overlaps this one");
            cr_assert_eq(blocks[slot][capacity - 1], (uint8_t)~slot);
            block_pool_put(&pool, blocks[slot]);
            blocks[slot] = NULL;
            used--;
        } else if ((blocks[slot] = block_pool_take(&pool, (size_t)rand() % 30000)) != NULL) {
            blocks[slot][0] = (uint8_t)slot;
            blocks[slot][block_pool_capacity(blocks[slot]) - 1] = (uint8_t)~slot;
            used++;
        } else {
            refused++;
        }
        if (step % 97 == 0) {
            block_pool_end_period(&pool);
        }
        given_back += step % 5 == 0 ? block_pool_give_back(&pool) : 0;
        cr_assert_eq(pool.blocks_used, used);
        cr_assert_leq(pool.bytes_held, pool.bytes_max);
        cr_assert_leq(pool.bytes_free, pool.bytes_held);
    }
    cr_assert_gt(given_back, 0);
    cr_assert_gt(refused, 0, "the bound was never reached: the test is too tame");
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        block_pool_put(&pool, blocks[slot]);
    }
    cr_assert_eq(pool.bytes_free, pool.bytes_held);
    block_pool_deinit(&pool);
}

Test(block_pool, catches_a_block_that_is_put_twice, .signal = SIGABRT)
{
    struct block_pool pool;

    block_pool_init(&pool, PLENTY);
    void *block = block_pool_take(&pool, 100);
    void *other = block_pool_take(&pool, 100);

    (void)other;
    block_pool_put(&pool, block);
    block_pool_put(&pool, block);
}

Test(block_pool, catches_a_block_that_did_not_come_home, .signal = SIGABRT)
{
    struct block_pool pool;

    block_pool_init(&pool, PLENTY);
    void *block = block_pool_take(&pool, 100);

    (void)block;
    block_pool_deinit(&pool);
}
