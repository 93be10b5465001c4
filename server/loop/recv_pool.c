#include "server/loop/recv_pool.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/check.h"

static const size_t ring_bytes = sizeof(struct io_uring_buf) * RECV_BUFFERS;
static const size_t memory_bytes = (size_t)RECV_BUFFER_BYTES * RECV_BUFFERS;

static void *map_pages(size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return pages == MAP_FAILED ? NULL : pages;
}

static void lend(struct recv_pool *pool, unsigned short id)
{
    io_uring_buf_ring_add(pool->buffers, pool->memory + (size_t)id * RECV_BUFFER_BYTES,
                          RECV_BUFFER_BYTES, id, io_uring_buf_ring_mask(RECV_BUFFERS),
                          (int)pool->returned);
    pool->returned++;
}

int recv_pool_init(struct recv_pool *pool, struct ring *ring)
{
    *pool = (struct recv_pool){.buffers = map_pages(ring_bytes), .memory = map_pages(memory_bytes)};
    if (pool->buffers == NULL || pool->memory == NULL) {
        recv_pool_deinit(pool);
        return -ENOMEM;
    }
    struct io_uring_buf_reg registration = {.ring_addr = (uint64_t)(uintptr_t)pool->buffers,
                                            .ring_entries = RECV_BUFFERS,
                                            .bgid = RECV_POOL_GROUP};
    int failed = io_uring_register_buf_ring(&ring->uring, &registration, 0);

    if (failed != 0) {
        recv_pool_deinit(pool);
        return failed;
    }
    io_uring_buf_ring_init(pool->buffers);
    for (unsigned short id = 0; id < RECV_BUFFERS; id++) {
        lend(pool, id);
    }
    recv_pool_flush(pool);
    return 0;
}

void recv_pool_deinit(struct recv_pool *pool)
{
    CHECK(pool->out == 0);
    if (pool->buffers != NULL) {
        munmap(pool->buffers, ring_bytes);
    }
    if (pool->memory != NULL) {
        munmap(pool->memory, memory_bytes);
    }
    *pool = (struct recv_pool){0};
}

static unsigned short buffer_id(uint32_t flags)
{
    uint32_t id = flags >> IORING_CQE_BUFFER_SHIFT;

    CHECK(id < RECV_BUFFERS);
    return (unsigned short)id;
}

struct bytes recv_pool_claim(const struct recv_pool *pool, int result, uint32_t flags)
{
    if (result <= 0 || (flags & IORING_CQE_F_BUFFER) == 0) {
        return bytes_of(NULL, 0);
    }
    CHECK(result <= RECV_BUFFER_BYTES);
    return bytes_of(pool->memory + (size_t)buffer_id(flags) * RECV_BUFFER_BYTES, (size_t)result);
}

void recv_pool_return(struct recv_pool *pool, uint32_t flags)
{
    if ((flags & IORING_CQE_F_BUFFER) != 0) {
        CHECK(pool->out > 0);
        pool->out--;
        lend(pool, buffer_id(flags));
    }
}

void recv_pool_arrive(struct recv_pool *pool, uint32_t flags)
{
    pool->out += (flags & IORING_CQE_F_BUFFER) != 0;
    CHECK(pool->out <= RECV_BUFFERS);
}

void recv_pool_flush(struct recv_pool *pool)
{
    CHECK(pool->returned <= RECV_BUFFERS);
    if (pool->returned > 0) {
        io_uring_buf_ring_advance(pool->buffers, (int)pool->returned);
        pool->returned = 0;
    }
}
