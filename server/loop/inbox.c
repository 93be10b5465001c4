#include "server/loop/inbox.h"

#include <string.h>

#include "base/check.h"

static void release(struct inbox *inbox, struct block_pool *pool)
{
    block_pool_put(pool, inbox->block);
    *inbox = (struct inbox){0};
}

bool inbox_add(struct inbox *inbox, struct block_pool *pool, struct bytes bytes)
{
    struct bytes before = inbox_bytes(inbox);
    size_t len = before.len + bytes.len;

    if (len > INBOX_BYTES_MAX) {
        return false;
    }
    if (bytes.len == 0) {
        return true;
    }
    uint8_t *block = block_pool_take(pool, len);

    if (block == NULL) {
        return false;
    }
    if (before.len > 0) {
        memcpy(block, before.data, before.len);
    }
    memcpy(block + before.len, bytes.data, bytes.len);
    inbox_clear(inbox, pool);
    *inbox = (struct inbox){.block = block, .end = (uint32_t)len};
    return true;
}

struct bytes inbox_bytes(const struct inbox *inbox)
{
    return inbox->block == NULL ? bytes_of(NULL, 0)
                                : bytes_of(inbox->block + inbox->begin, inbox->end - inbox->begin);
}

bool inbox_is_empty(const struct inbox *inbox)
{
    return inbox->block == NULL;
}

void inbox_skip(struct inbox *inbox, struct block_pool *pool, size_t len)
{
    CHECK(len <= inbox->end - inbox->begin);
    inbox->begin += (uint32_t)len;
    if (inbox->begin == inbox->end) {
        release(inbox, pool);
    }
}

void inbox_clear(struct inbox *inbox, struct block_pool *pool)
{
    struct bytes bytes = inbox_bytes(inbox);

    if (bytes.len > 0) {
        bytes_wipe(inbox->block + inbox->begin, bytes.len);
    }
    release(inbox, pool);
}
