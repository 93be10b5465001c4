#include "host/loop/loop.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

int loop_open(struct loop *loop)
{
    *loop = (struct loop){.now_ms = clock_monotonic_ms()};
    list_init(&loop->timers);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return loop->epoll_fd < 0 ? -errno : 0;
}

void loop_close(struct loop *loop)
{
    if (loop->epoll_fd >= 0) {
        close(loop->epoll_fd);
    }
    loop->epoll_fd = -1;
}

int loop_watch_add(struct loop *loop, struct loop_watch *watch)
{
    struct epoll_event event = {.events = watch->events, .data.ptr = watch};

    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) != 0 ? -errno : 0;
}

void loop_watch_change(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    if (watch->events != events) {
        watch->events = events;
        CHECK(epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) == 0);
    }
}

void loop_watch_remove(struct loop *loop, struct loop_watch *watch)
{
    struct epoll_event event = {0};

    CHECK(epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, &event) == 0);
    for (int i = 0; i < loop->batch_count; i++) {
        if (loop->batch[i].data.ptr == watch) {
            loop->batch[i].data.ptr = NULL; /* its event of this turn is still to come */
        }
    }
}

void loop_timer_init(struct loop_timer *timer, void (*on_due)(struct loop_timer *timer))
{
    *timer = (struct loop_timer){.on_due = on_due};
    list_init(&timer->node);
}

void loop_timer_arm(struct loop *loop, struct loop_timer *timer, uint64_t due_ms)
{
    timer->due_ms = due_ms;
    if (!loop_timer_is_armed(timer)) {
        list_append(&loop->timers, &timer->node);
    }
}

void loop_timer_disarm(struct loop_timer *timer)
{
    list_remove(&timer->node);
}

bool loop_timer_is_armed(const struct loop_timer *timer)
{
    return !list_empty(&timer->node);
}

/* The timer that was due first; NULL when none is due. */
static struct loop_timer *next_due(struct loop *loop)
{
    struct loop_timer *first = NULL;

    list_for_each(node, &loop->timers)
    {
        struct loop_timer *timer = container_of(node, struct loop_timer, node);

        if (timer->due_ms <= loop->now_ms && (first == NULL || timer->due_ms < first->due_ms)) {
            first = timer;
        }
    }
    return first;
}

/* Each is called once in a turn, even if it arms itself for now. */
static void run_timers(struct loop *loop)
{
    struct list due;
    struct loop_timer *timer;

    list_init(&due);
    while ((timer = next_due(loop)) != NULL) {
        list_remove(&timer->node);
        list_append(&due, &timer->node);
    }
    while (!list_empty(&due)) {
        timer = container_of(list_take_first(&due), struct loop_timer, node);
        timer->on_due(timer);
    }
}

static int timeout_ms(const struct loop *loop, uint64_t wait_ms)
{
    uint64_t now_ms = clock_monotonic_ms();

    list_for_each(node, &loop->timers)
    {
        uint64_t due_ms = container_of(node, struct loop_timer, node)->due_ms;
        uint64_t left_ms = due_ms > now_ms ? due_ms - now_ms : 0;

        wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
    }
    return wait_ms == UINT64_MAX ? -1 : wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
}

void loop_turn(struct loop *loop, uint64_t wait_ms)
{
    int count = epoll_wait(loop->epoll_fd, loop->batch, LOOP_BATCH_MAX, timeout_ms(loop, wait_ms));

    loop->now_ms = clock_monotonic_ms();
    loop->batch_count = count > 0 ? count : 0;
    for (int i = 0; i < loop->batch_count; i++) {
        struct loop_watch *watch = loop->batch[i].data.ptr;

        if (watch != NULL) {
            watch->on_ready(watch, loop->batch[i].events);
        }
    }
    loop->batch_count = 0;
    run_timers(loop);
}

void loop_run(struct loop *loop)
{
    while (!loop->stopping) {
        loop_turn(loop, UINT64_MAX);
    }
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}
