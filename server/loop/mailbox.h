/* Letters between threads: one 64-bit word each, carried by IORING_OP_MSG_RING into the completion
 * queue of the receiving worker. A letter is a kind and a pointer; ownership of the pointee passes
 * to the receiver. Letters from one thread to one worker arrive in the order they were posted. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/loop/ring.h"

struct worker;

enum letter_kind {
    LETTER_MESSAGE,      /* struct message: publish it to this worker's subscribers */
    LETTER_MESSAGE_HOME, /* struct message: no holds are left; back to this worker's pool */
    LETTER_CALL,         /* struct call: run it on this worker */
};

/* Work for another thread. The caller keeps the memory alive until run was called; run may return
 * it by another letter. */
struct call {
    void (*run)(struct worker *worker, struct call *call);
    bool counted;        /* private: the receiver may not end before it arrived */
    _Atomic bool posted; /* private: makes writes before the post visible to run */
};

/* The letter in transit. */
uint64_t letter_pack(enum letter_kind kind, const void *pointer, unsigned target);
enum letter_kind letter_kind(uint64_t letter);
unsigned letter_target(uint64_t letter); /* index of the worker it is for */
void *letter_pointer(uint64_t letter);
bool letter_is(uint64_t user_data);

/* Posts through `from`, the ring of the calling thread; it leaves with that ring's next submit.
 * When the kernel cannot deliver, the sender gets a completion with OP_TAG_UNDELIVERED set. */
void mailbox_post(struct ring *from, int target_ring_fd, uint64_t letter);

/* The same for a call to the worker with index target. */
void mailbox_post_call(struct ring *from, int target_ring_fd, struct call *call, unsigned target);

/* Posts a call from a thread that is not a worker, through a ring of its own; returns when the
 * kernel has taken it. 0 or -errno. */
MUST_USE int mailbox_post_from_outside(struct ring *from, int target_ring_fd, struct call *call);
