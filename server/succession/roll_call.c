#include "server/succession/roll_call.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"

int roll_call_init(struct roll_call *roll, struct worker_group *group, struct ring *post,
                   void *context)
{
    *roll = (struct roll_call){.group = group, .post = post, .context = context};
    roll->answered_fd = eventfd(0, EFD_CLOEXEC);
    return roll->answered_fd < 0 ? -errno : 0;
}

void roll_call_deinit(struct roll_call *roll)
{
    if (roll->answered_fd >= 0) {
        close(roll->answered_fd);
        roll->answered_fd = -1;
    }
}

static void post(struct roll_call *roll, void (*run)(struct worker *worker, struct call *call))
{
    struct call *calls[WORKERS_MAX];

    for (unsigned i = 0; i < roll->group->workers_count; i++) {
        roll->entries[i] = (struct roll_call_entry){.roll = roll};
        calls[i] = &roll->entries[i].call;
    }
    atomic_store(&roll->unanswered, roll->group->workers_count);
    worker_group_call(roll->group, roll->post, calls, run);
}

int roll_call_make(struct roll_call *roll, void (*run)(struct worker *worker, struct call *call),
                   const struct handover_wait *wait)
{
    eventfd_t ignored;
    int failed = 0;

    CHECK(roll_call_is_over(roll));
    post(roll, run);
    while (failed == 0 && !roll_call_is_over(roll)) {
        failed = handover_wait_for(wait, roll->answered_fd, POLLIN);
        if (failed == 0) {
            eventfd_read(roll->answered_fd, &ignored);
        }
    }
    return failed;
}

bool roll_call_is_over(struct roll_call *roll)
{
    return atomic_load(&roll->unanswered) == 0;
}

void roll_call_forget(struct roll_call *roll)
{
    atomic_store(&roll->unanswered, 0);
}

struct roll_call *roll_call_of(struct call *call)
{
    return container_of(call, struct roll_call_entry, call)->roll;
}

void roll_call_answer(struct roll_call *roll)
{
    unsigned before = atomic_fetch_sub(&roll->unanswered, 1);

    CHECK(before > 0);
    eventfd_write(roll->answered_fd, 1);
}
