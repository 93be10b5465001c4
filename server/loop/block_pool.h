/* Memory of one worker for messages and other short-lived things of the data path: size classes a
 * quarter apart, free blocks kept for reuse while they are of use, one bound over all. Owner worker
 * only; a block sent to another worker returns by letter. Never blocks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

enum block_pool_sizes {
    BLOCK_CLASS_BYTES_MIN = 64,
    BLOCK_CLASSES = 4 * 18 + 1,         /* 64 B … 16 MiB in steps of a quarter */
    BLOCK_MOVED_BYTES_MIN = 256 * 1024, /* so large, growing moves pages and copies nothing */
};

enum block_pool_limits {
    GIVE_BACK_BLOCKS_MAX = 256,        /* by one call, */
    GIVE_BACK_BYTES_MAX = 1024 * 1024, /* or these, and up to one block more */
};

struct block;

/* Free blocks of one size. */
struct block_class {
    struct block *free;
    uint32_t free_count;
    uint32_t idle_count;  /* the fewest that were free since the period began */
    uint32_t spare_count; /* of the period before, not yet given back */
};

struct block_pool {
    struct block_class classes[BLOCK_CLASSES];
    size_t bytes_max;      /* of all blocks, used or free */
    size_t bytes_reserved; /* of those, only for block_pool_take_reserved */
    size_t bytes_held;     /* used and free together; never above bytes_max */
    size_t bytes_free;
    size_t blocks_used; /* 0 when every block has returned */
};

void block_pool_init(struct block_pool *pool, size_t bytes_max);

/* Frees the kept blocks; CHECKs that none is still in use. */
void block_pool_deinit(struct block_pool *pool);

/* Keeps the last bytes of the bound for block_pool_take_reserved. */
void block_pool_reserve(struct block_pool *pool, size_t bytes);

/* At least size bytes, aligned to 16; NULL when the bound is reached, even after releasing all kept
 * free blocks. */
MUST_USE void *block_pool_take(struct block_pool *pool, size_t size);

/* The same, from the whole bound: for the few small things that must keep working when data uses up
 * the rest (Close, pings, responses). */
MUST_USE void *block_pool_take_reserved(struct block_pool *pool, size_t size);

/* Makes a block larger, which keeps its bytes and may move; a small one is copied, a large one
 * (BLOCK_MOVED_BYTES_MIN) moved by the kernel, if block_pool_prepare was called: its pages stay,
 * and none is touched. NULL, with the block unchanged, when the bound is reached. */
MUST_USE void *block_pool_grow(struct block_pool *pool, void *data, size_t size);

/* For the whole process, before the first pool: large blocks have pages of their own, and all that
 * are freed can be returned to the system. */
void block_pool_prepare(void);

/* Memory that block_pool_take may still give, in total. */
size_t block_pool_left(const struct block_pool *pool);

/* Usable bytes of a block: the size of its class. */
size_t block_pool_capacity(const void *data);

/* Accepts NULL. */
void block_pool_put(struct block_pool *pool, void *data);

/* Returns free memory above keep_bytes to the system; the largest blocks first. */
void block_pool_trim(struct block_pool *pool, size_t keep_bytes);

/* Ends a period and begins the next: blocks that were free all through it are spare. So what a
 * steady stream needs stays, however much of it is free at the moment. */
void block_pool_end_period(struct block_pool *pool);

/* Returns spare blocks to the system that have not been of use since; a part of them, so that it
 * takes little time. Returns their bytes; 0: there are no more. */
size_t block_pool_give_back(struct block_pool *pool);
