/* The provided-buffer ring of one worker: buffers lent to the kernel for receives and
 * taken back in the same turn of the loop, so that no slow viewer ever holds one. Owner worker
 * only. */
#pragma once

#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "server/loop/ring.h"

enum recv_pool_ids { RECV_POOL_GROUP = 0 };

enum recv_pool_limits {
    RECV_BUFFER_BYTES = 16384, /* the plain text of one full TLS record */
    RECV_BUFFERS = 256,        /* per worker: 4 MiB */
};
_Static_assert((RECV_BUFFERS & (RECV_BUFFERS - 1)) == 0, "the kernel wants a power of two");

struct recv_pool {
    struct io_uring_buf_ring *buffers;
    uint8_t *memory;
    unsigned returned; /* taken back in this turn, not yet shown to the kernel */
    unsigned out;      /* arrived and not yet returned */
};

/* Registers with the ring; once per ring (Linux 6.1 keeps the head index of a group
 * permanently). */
MUST_USE int recv_pool_init(struct recv_pool *pool, struct ring *ring);

/* Call after ring_close: until then the kernel may write into the buffers. CHECKs that each buffer
 * that arrived was returned. */
void recv_pool_deinit(struct recv_pool *pool);

/* Accounts for the buffer of a completion, if it has one; call once for each completion. */
void recv_pool_arrive(struct recv_pool *pool, uint32_t flags);

/* Data of a completion with this result and these flags; empty when it has no buffer. */
struct bytes recv_pool_claim(const struct recv_pool *pool, int result, uint32_t flags);

/* Returns the completion's buffer, if there was one. Its bytes are invalid after that. */
void recv_pool_return(struct recv_pool *pool, uint32_t flags);

/* Shows all returned buffers to the kernel; before each submit. */
void recv_pool_flush(struct recv_pool *pool);
