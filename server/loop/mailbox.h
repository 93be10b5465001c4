/* Posts letters between threads: IORING_OP_MSG_RING carries them into the completion queue of the
 * receiving worker. Letters from one thread to one worker arrive in the order they were posted. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/loop/letter.h"
#include "server/loop/ring.h"

struct worker;

/* Work for another thread. The caller keeps the memory alive until run was called; run may return
 * it by another letter. */
struct call {
    void (*run)(struct worker *worker, struct call *call);
    bool counted;        /* private: the receiver may not end before it arrived */
    _Atomic bool posted; /* private: makes writes before the post visible to run */
};

/* Posts through `from`, the ring of the calling thread; it leaves with that ring's next submit.
 * When the kernel cannot deliver, the sender gets a completion with OP_TAG_UNDELIVERED set. */
void mailbox_post(struct ring *from, int target_ring_fd, uint64_t letter);

/* The same for a call to the worker with index target. */
void mailbox_post_call(struct ring *from, int target_ring_fd, struct call *call, unsigned target);

/* Posts a call from a thread that is not a worker, through a ring of its own; returns when the
 * kernel has taken it. 0 or -errno. */
MUST_USE int mailbox_post_from_outside(struct ring *from, int target_ring_fd, struct call *call);
