/* Goal: bytes come out as they went in, whatever is removed in between; nothing is left behind, and
 * no secret in it.
 * Method: random pieces against a plain array, over a pool of the test's. */
#include "server/loop/inbox.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct block_pool pool;
static struct inbox inbox;

static void open_pool(void)
{
    block_pool_init(&pool, 1 << 20);
}

static void close_pool(void)
{
    inbox_clear(&inbox, &pool);
    cr_assert_eq(pool.blocks_used, 0);
    block_pool_deinit(&pool);
}

TestSuite(inbox, .init = open_pool, .fini = close_pool);

static void expect(const uint8_t *data, size_t len)
{
    struct bytes bytes = inbox_bytes(&inbox);

    cr_assert_eq(bytes.len, len);
    cr_assert(len == 0 || memcmp(bytes.data, data, len) == 0);
    cr_assert_eq(inbox.block == NULL, len == 0);
    cr_assert_eq(pool.blocks_used, len > 0);
}

Test(inbox, gives_bytes_in_their_order)
{
    static uint8_t model[INBOX_BYTES_MAX], piece[2000];
    size_t len = 0;

    srand(3);
    for (unsigned step = 0; step < 20000; step++) {
        size_t size = (size_t)rand() % sizeof piece;

        if (rand() % 2 == 0) {
            for (size_t i = 0; i < size; i++) {
                piece[i] = (uint8_t)rand();
            }
            bool fits = len + size <= sizeof model;

            cr_assert_eq(inbox_add(&inbox, &pool, bytes_of(piece, size)), fits);
            if (fits) {
                memcpy(model + len, piece, size);
                len += size;
            }
        } else {
            size = size < len ? size : len;
            inbox_skip(&inbox, &pool, size);
            len -= size;
            memmove(model, model + size, len);
        }
        expect(model, len);
    }
}

Test(inbox, without_memory_it_keeps_its_bytes)
{
    cr_assert(inbox_add(&inbox, &pool, bytes_of_text("before")));
    pool.bytes_max = pool.bytes_held;
    cr_assert(!inbox_add(&inbox, &pool, bytes_of_text("after")));
    expect((const uint8_t *)"before", 6);
}

Test(inbox, wipes_what_it_forgets)
{
    cr_assert(inbox_add(&inbox, &pool, bytes_of_text("a long enough secret of a client")));
    const uint8_t *data = inbox_bytes(&inbox).data;

    inbox_clear(&inbox, &pool); /* the pool keeps the block */
    cr_assert_null(memmem(data, 32, "secret", 6));
}
