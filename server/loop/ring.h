/* The io_uring of one thread: set-up, submission slots, waiting. Only the thread that called
 * ring_open may use it (IORING_SETUP_SINGLE_ISSUER). Facts and reasons: docs/decisions/0001. */
#pragma once

#include <liburing.h>
#include <stddef.h>
#include <sys/uio.h>

#include "base/attributes.h"
#include "server/loop/op.h"

enum ring_limits {
    RING_SQ_ENTRIES = 1024,
    RING_CQ_ENTRIES = 16384,
    RING_IOVECS = 8192, /* slices between two submits; more submit early */
};

struct ring {
    struct io_uring uring;
    struct iovec *iovecs; /* slices of sends that are prepared but not yet submitted */
    unsigned iovecs_used;
};

/* 0 or -errno; see ring_error_text. */
MUST_USE int ring_open(struct ring *ring, unsigned sq_entries, unsigned cq_entries);
void ring_close(struct ring *ring);

/* One sentence with cause and cure for a failure of ring_open. */
void ring_error_text(int error, char *text, size_t text_size);

/* Tests everything the server relies on by using it: ring flags, provided buffers, multishot
 * receive, ring messages. 0, or -errno with a sentence in error. Blocks for microseconds. */
MUST_USE int ring_probe(char *error, size_t error_size);

/* A cleared submission slot for op, which must not be in flight. Never NULL: a full queue is
 * submitted first. */
struct io_uring_sqe *ring_sqe(struct ring *ring, struct op *op);

/* A slot whose completion has no op. */
struct io_uring_sqe *ring_sqe_raw(struct ring *ring, uint64_t user_data);

/* Ensures that the next count slots go to the kernel in one submission (linked operations). */
void ring_reserve(struct ring *ring, unsigned count);

/* count slices that stay valid until the operation that uses them is submitted. */
struct iovec *ring_iovecs(struct ring *ring, unsigned count);

/* Submits everything, without waiting for a completion. */
void ring_submit(struct ring *ring);

/* Submits everything and waits until a completion is available or timeout_ms has passed (< 0: no
 * limit). */
void ring_submit_and_wait(struct ring *ring, int64_t timeout_ms);
