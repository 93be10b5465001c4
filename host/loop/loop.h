/* The event loop of the host: descriptors by epoll(7), and timers. One thread; all callbacks run on
 * it, one at a time. A callback may add, change and remove any watch and timer, also its own. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/attributes.h"
#include "base/list.h"

enum loop_limits { LOOP_BATCH_MAX = 64 };

/* Embedded in its owner, which keeps the descriptor open while it is watched. */
struct loop_watch {
    int fd;
    uint32_t events; /* EPOLLIN, EPOLLOUT; level-triggered */
    void (*on_ready)(struct loop_watch *watch, uint32_t events);
    void *owner; /* for an owner of several */
};

/* Embedded in its owner; loop_timer_init first. */
struct loop_timer {
    struct list node;
    uint64_t due_ms;
    void (*on_due)(struct loop_timer *timer);
};

struct loop {
    int epoll_fd;
    uint64_t now_ms; /* monotonic, at the start of this turn */
    struct list timers;
    bool stopping;
    struct epoll_event batch[LOOP_BATCH_MAX];
    int batch_count;
};

/* 0 or -errno. */
MUST_USE int loop_open(struct loop *loop);
void loop_close(struct loop *loop);

/* Waits for events and calls back until loop_stop. */
void loop_run(struct loop *loop);

/* Waits at most wait_ms, and calls back once. */
void loop_turn(struct loop *loop, uint64_t wait_ms);
void loop_stop(struct loop *loop);

/* 0 or -errno. */
MUST_USE int loop_watch_add(struct loop *loop, struct loop_watch *watch);

/* The events to wait for from now on. */
void loop_watch_change(struct loop *loop, struct loop_watch *watch, uint32_t events);

/* Before the descriptor is closed. No callback comes after it. */
void loop_watch_remove(struct loop *loop, struct loop_watch *watch);

void loop_timer_init(struct loop_timer *timer, void (*on_due)(struct loop_timer *timer));

/* Again, if it is armed already. */
void loop_timer_arm(struct loop *loop, struct loop_timer *timer, uint64_t due_ms);

/* Harmless when it is not armed. */
void loop_timer_disarm(struct loop_timer *timer);
bool loop_timer_is_armed(const struct loop_timer *timer);
