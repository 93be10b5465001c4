#include "perf/neighbour/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "perf/target/process.h"

NORETURN static void child_run(pid_t parent, int fd, int cpu, int niceness, child_main *main,
                               void *ctx)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);
    }
    signal(SIGPIPE, SIG_IGN);
    (void)!nice(niceness);
    if (process_pin(cpu) == 0) {
        main(fd, ctx);
    }
    _exit(0);
}

int child_start(struct child *child, int cpu, int niceness, child_main *main, void *ctx)
{
    int fds[2];
    pid_t parent = getpid();

    *child = (struct child){.fd = -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        return -errno;
    }
    fflush(NULL);
    child->pid = fork();
    if (child->pid == 0) {
        close(fds[0]);
        child_run(parent, fds[1], cpu, niceness, main, ctx);
    }
    close(fds[1]);
    if (child->pid < 0) {
        int failed = -errno;

        close(fds[0]);
        *child = (struct child){.fd = -1};
        return failed;
    }
    child->fd = fds[0];
    return 0;
}

void child_ready_and_wait(int fd)
{
    char byte = 0;

    if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1) {
        _exit(0);
    }
}

int child_wait_ready(const struct child *child, int timeout_ms)
{
    struct pollfd readable = {.fd = child->fd, .events = POLLIN};
    char byte;
    int count = poll(&readable, 1, timeout_ms);

    if (count == 0) {
        return -ETIMEDOUT;
    }
    return count == 1 && read(child->fd, &byte, 1) == 1 ? 0 : -ECHILD;
}

void child_go(const struct child *child)
{
    char byte = 0;

    /* The one byte always fits; a child that has ended shows in its figures. */
    (void)!send(child->fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void child_end(struct child *child)
{
    if (child->pid == 0) {
        return;
    }
    kill(child->pid, SIGKILL);
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    close(child->fd);
    *child = (struct child){.fd = -1};
}

void *child_memory_create(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return memory != MAP_FAILED ? memory : NULL;
}

void child_memory_destroy(void *memory, size_t size)
{
    if (memory != NULL) {
        munmap(memory, size);
    }
}
