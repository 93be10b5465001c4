/* Children that wait to be let go, end by themselves, and end with their parent. */
#include "perf/neighbour/child.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE_MS = 10000 };

struct notes {
    _Atomic int went;
    _Atomic int niceness;
    int fd; /* a byte says that it went */
};

static void note_and_stay(int fd, void *ctx)
{
    struct notes *notes = ctx;

    notes->niceness = getpriority(PRIO_PROCESS, 0);
    child_ready_and_wait(fd);
    notes->went = 1;
    (void)!write(notes->fd, "", 1);
    pause();
}

static void end_at_once(int fd, void *ctx)
{
}

static bool readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, DEADLINE_MS) == 1;
}

Test(child, goes_when_told_and_is_reaped)
{
    struct notes *notes = child_memory_create(sizeof *notes);
    struct child child;
    int fds[2];

    cr_assert_eq(pipe(fds), 0);
    notes->fd = fds[1];
    cr_assert_eq(child_start(&child, -1, 3, note_and_stay, notes), 0);
    pid_t pid = child.pid;

    cr_assert_eq(child_wait_ready(&child, DEADLINE_MS), 0);
    cr_assert_eq(notes->went, 0);
    int nicer = getpriority(PRIO_PROCESS, 0) + 3;

    cr_assert_eq(notes->niceness, nicer < 19 ? nicer : 19);
    child_go(&child);
    cr_assert(readable(fds[0]));
    cr_assert_eq(notes->went, 1);
    child_end(&child);
    cr_assert(kill(pid, 0) != 0 && errno == ESRCH, "neither running nor a zombie");
    child_end(&child);
    child_memory_destroy(notes, sizeof *notes);
}

Test(child, that_ended_is_not_ready)
{
    struct child child;

    cr_assert_eq(child_start(&child, -1, 0, end_at_once, NULL), 0);
    cr_assert_eq(child_wait_ready(&child, DEADLINE_MS), -ECHILD);
    child_go(&child);
    child_end(&child);
}

Test(child, ends_with_its_parent)
{
    int fds[2];

    cr_assert_eq(pipe(fds), 0);
    pid_t parent = fork();

    if (parent == 0) {
        struct notes notes = {.fd = fds[1]};
        struct child child;

        close(fds[0]);
        if (child_start(&child, -1, 0, note_and_stay, &notes) == 0 &&
            child_wait_ready(&child, DEADLINE_MS) == 0) {
            child_go(&child);
        }
        pause();
        _exit(1);
    }
    close(fds[1]);
    char byte;

    cr_assert(readable(fds[0]) && read(fds[0], &byte, 1) == 1);
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    cr_assert(readable(fds[0]));
    cr_assert_eq(read(fds[0], &byte, 1), 0, "the child's end is closed too");
}
