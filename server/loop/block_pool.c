#include "server/loop/block_pool.h"

#include <malloc.h>
#include <stdlib.h>

#include "base/check.h"

/* Precedes the caller's memory; keeps its alignment. */
struct block {
    struct block *next_free;
    uint32_t class_index;
    uint32_t used; /* detects a block that is put twice */
};

_Static_assert(sizeof(struct block) == 16, "blocks stay aligned to 16");

static size_t class_bytes(unsigned index)
{
    size_t base = (size_t)BLOCK_CLASS_BYTES_MIN << (index / 4);

    return base + base / 4 * (index % 4);
}

static unsigned class_of(size_t size)
{
    if (size <= BLOCK_CLASS_BYTES_MIN) {
        return 0;
    }
    unsigned doubling = 63 - (unsigned)__builtin_clzll((size - 1) / BLOCK_CLASS_BYTES_MIN);
    size_t base = (size_t)BLOCK_CLASS_BYTES_MIN << doubling;
    unsigned quarters = (unsigned)((size - base + base / 4 - 1) / (base / 4));

    return doubling * 4 + quarters;
}

static struct block *header_of(void *data)
{
    return (struct block *)data - 1;
}

static size_t block_bytes(const struct block *block)
{
    return class_bytes(block->class_index) + sizeof *block;
}

void block_pool_init(struct block_pool *pool, size_t bytes_max)
{
    *pool = (struct block_pool){.bytes_max = bytes_max};
}

void block_pool_deinit(struct block_pool *pool)
{
    CHECK(pool->blocks_used == 0);
    block_pool_trim(pool, 0);
    CHECK(pool->bytes_held == 0);
}

/* NULL: none of the class is free. */
static struct block *take_free(struct block_pool *pool, unsigned index)
{
    struct block_class *class = &pool->classes[index];
    struct block *block = class->free;

    if (block == NULL) {
        return NULL;
    }
    CHECK(class->free_count > 0);
    class->free = block->next_free;
    class->free_count--;
    pool->bytes_free -= block_bytes(block);
    return block;
}

/* One of the class is free. Returns its bytes. */
static size_t release(struct block_pool *pool, unsigned index)
{
    struct block *block = take_free(pool, index);
    size_t bytes = block_bytes(block);

    pool->bytes_held -= bytes;
    free(block);
    return bytes;
}

static void note_idle(struct block_class *class)
{
    if (class->idle_count > class->free_count) {
        class->idle_count = class->free_count;
    }
}

void block_pool_trim(struct block_pool *pool, size_t keep_bytes)
{
    for (unsigned index = BLOCK_CLASSES; index-- > 0;) {
        struct block_class *class = &pool->classes[index];

        while (pool->bytes_free > keep_bytes && class->free != NULL) {
            release(pool, index);
        }
        note_idle(class);
    }
}

void block_pool_end_period(struct block_pool *pool)
{
    for (unsigned index = 0; index < BLOCK_CLASSES; index++) {
        struct block_class *class = &pool->classes[index];

        class->spare_count = class->idle_count;
        class->idle_count = class->free_count;
    }
}

/* Those that have been of use in this period are kept, spare or not. */
static bool has_spare(const struct block_class *class)
{
    return class->spare_count > 0 && class->idle_count > 0;
}

size_t block_pool_give_back(struct block_pool *pool)
{
    size_t bytes = 0;
    unsigned count = 0;

    for (unsigned index = BLOCK_CLASSES; index-- > 0;) {
        struct block_class *class = &pool->classes[index];

        while (has_spare(class) && count < GIVE_BACK_BLOCKS_MAX && bytes < GIVE_BACK_BYTES_MAX) {
            class->spare_count--;
            class->idle_count--;
            bytes += release(pool, index);
            count++;
        }
    }
    return bytes;
}

static size_t bytes_used(const struct block_pool *pool)
{
    return pool->bytes_held - pool->bytes_free;
}

size_t block_pool_left(const struct block_pool *pool)
{
    size_t bytes_max = pool->bytes_max - pool->bytes_reserved;

    return bytes_used(pool) < bytes_max ? bytes_max - bytes_used(pool) : 0;
}

/* True when its bytes fit the bound once kept free blocks are released. */
static struct block *make_block(struct block_pool *pool, unsigned index)
{
    size_t bytes = class_bytes(index) + sizeof(struct block);

    if (pool->bytes_held + bytes > pool->bytes_max) {
        block_pool_trim(pool, pool->bytes_max - bytes - bytes_used(pool));
    }
    CHECK(pool->bytes_held + bytes <= pool->bytes_max);
    struct block *block = malloc(bytes);

    if (block == NULL) {
        return NULL;
    }
    block->class_index = index;
    pool->bytes_held += bytes;
    return block;
}

static struct block *reuse_block(struct block_pool *pool, unsigned index)
{
    struct block *block = take_free(pool, index);

    note_idle(&pool->classes[index]);
    return block;
}

void block_pool_reserve(struct block_pool *pool, size_t bytes)
{
    CHECK(bytes < pool->bytes_max);
    pool->bytes_reserved = bytes;
}

static void *take(struct block_pool *pool, size_t size, size_t bytes_max)
{
    unsigned index = class_of(size);

    CHECK(index < BLOCK_CLASSES);
    /* Kept blocks count as well: data must not use up the reserve through its free blocks. */
    if (class_bytes(index) + sizeof(struct block) + bytes_used(pool) > bytes_max) {
        return NULL;
    }
    struct block *block = reuse_block(pool, index);

    if (block == NULL) {
        block = make_block(pool, index);
    }
    if (block == NULL) {
        return NULL;
    }
    block->used = 1;
    pool->blocks_used++;
    return block + 1;
}

void *block_pool_take(struct block_pool *pool, size_t size)
{
    return take(pool, size, pool->bytes_max - pool->bytes_reserved);
}

void *block_pool_grow(struct block_pool *pool, void *data, size_t size)
{
    struct block *block = header_of(data);
    unsigned index = class_of(size);

    CHECK(index < BLOCK_CLASSES && block->used == 1);
    if (index <= block->class_index) {
        return data;
    }
    size_t more = class_bytes(index) - class_bytes(block->class_index);

    if (more > block_pool_left(pool)) {
        return NULL;
    }
    if (pool->bytes_held + more > pool->bytes_max) {
        block_pool_trim(pool, pool->bytes_max - more - bytes_used(pool));
    }
    struct block *grown = realloc(block, class_bytes(index) + sizeof *block);

    if (grown == NULL) {
        return NULL;
    }
    grown->class_index = index;
    pool->bytes_held += more;
    return grown + 1;
}

/* A fixed threshold: by default it rises with each large block that is freed, and then large ones
 * are copied when they grow. And no fast bins: a small chunk in one of them is joined with a burst
 * of free ones below it and with the top of its arena only when malloc_trim looks, which returns no
 * top to the system. */
void block_pool_prepare(void)
{
    mallopt(M_MMAP_THRESHOLD, BLOCK_MOVED_BYTES_MIN);
    mallopt(M_MXFAST, 0);
}

void *block_pool_take_reserved(struct block_pool *pool, size_t size)
{
    return take(pool, size, pool->bytes_max);
}

size_t block_pool_capacity(const void *data)
{
    return class_bytes(((const struct block *)data - 1)->class_index);
}

void block_pool_put(struct block_pool *pool, void *data)
{
    if (data == NULL) {
        return;
    }
    struct block *block = header_of(data);

    CHECK(block->used == 1);
    CHECK(pool->blocks_used > 0);
    struct block_class *class = &pool->classes[block->class_index];

    block->used = 0;
    block->next_free = class->free;
    class->free = block;
    class->free_count++;
    pool->bytes_free += block_bytes(block);
    pool->blocks_used--;
}
