/* Bytes of a connection that are received and not parsed yet, because their turn has not come. No
 * more is received meanwhile, so an inbox holds what one receive brought, TLS records of the last
 * one included. Owner worker only; never blocks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "server/loop/block_pool.h"

enum inbox_limits { INBOX_BYTES_MAX = 64 * 1024 };

/* All zero: empty. */
struct inbox {
    uint8_t *block; /* NULL exactly while empty */
    uint32_t begin, end;
};

/* Copies bytes to the end. False, with nothing taken: no memory, or INBOX_BYTES_MAX. */
MUST_USE bool inbox_add(struct inbox *inbox, struct block_pool *pool, struct bytes bytes);

bool inbox_is_empty(const struct inbox *inbox);

/* All that is in it; the caller may overwrite them. */
struct bytes inbox_bytes(const struct inbox *inbox);

/* Removes len bytes from the front, which the caller has wiped. */
void inbox_skip(struct inbox *inbox, struct block_pool *pool, size_t len);

/* Wipes and removes everything. */
void inbox_clear(struct inbox *inbox, struct block_pool *pool);
