/* To be preloaded into a program that takes over: at one step of the hand-over it gets a signal.
 * Steps are messages on the socket, by their kinds (docs/handover.md): "send 5 2" stands in front
 * of the second message of kind 5, "sent 5 2" behind it, "received 7 1" behind the first of kind 7;
 * "start", before the program's first line; and "read 3", when the third stream has been read.
 *
 * RELAY_TEST_STEPS: a file that gets a line of each step. RELAY_TEST_STEP: the one with the signal,
 * whose number stands in RELAY_TEST_SIGNAL. */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

enum { KINDS = 64, STEP_SIZE = 64 };

static ssize_t (*real_sendmsg)(int fd, const struct msghdr *message, int flags);
static ssize_t (*real_recvmsg)(int fd, struct msghdr *message, int flags);
static int (*real_munmap)(void *memory, size_t size);
static int channel_fd = -1, steps_fd = -1, signal_number;
static char signal_step[STEP_SIZE];
static unsigned sent[KINDS], received[KINDS];
static atomic_uint streams_read;
static atomic_bool has_stream;

static void reach(const char *step)
{
    char line[STEP_SIZE + 1];
    int len = snprintf(line, sizeof line, "%s\n", step);
    ssize_t ignored __attribute__((unused)) = write(steps_fd, line, (size_t)len);

    if (strcmp(step, signal_step) == 0) {
        kill(getpid(), signal_number);
    }
}

static void reach_message(const char *what, unsigned kind, unsigned count)
{
    char step[STEP_SIZE];

    snprintf(step, sizeof step, "%s %u %u", what, kind, count);
    reach(step);
}

__attribute__((constructor)) static void start(void)
{
    const char *channel = getenv("RELAY_HANDOVER_SOCKET"), *steps = getenv("RELAY_TEST_STEPS");
    const char *step = getenv("RELAY_TEST_STEP"), *number = getenv("RELAY_TEST_SIGNAL");

    *(void **)&real_sendmsg = dlsym(RTLD_NEXT, "sendmsg");
    *(void **)&real_recvmsg = dlsym(RTLD_NEXT, "recvmsg");
    *(void **)&real_munmap = dlsym(RTLD_NEXT, "munmap");
    if (channel == NULL || steps == NULL) {
        return;
    }
    channel_fd = (int)strtol(channel, NULL, 10);
    steps_fd = open(steps, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    signal_number = number == NULL ? 0 : (int)strtol(number, NULL, 10);
    snprintf(signal_step, sizeof signal_step, "%s", step == NULL ? "" : step);
    reach("start");
}

/* The first byte of a record, which is all of a message. */
static unsigned kind_of(const struct msghdr *message)
{
    return *(const unsigned char *)message->msg_iov[0].iov_base % KINDS;
}

static bool is_of_channel(int fd)
{
    return fd == channel_fd && fd >= 0;
}

__attribute__((visibility("default"))) ssize_t sendmsg(int fd, const struct msghdr *message,
                                                       int flags)
{
    if (!is_of_channel(fd)) {
        return real_sendmsg(fd, message, flags);
    }
    unsigned kind = kind_of(message);

    reach_message("send", kind, ++sent[kind]);
    ssize_t len = real_sendmsg(fd, message, flags);

    if (len > 0) {
        reach_message("sent", kind, sent[kind]);
    } else {
        sent[kind]--;
    }
    return len;
}

__attribute__((visibility("default"))) ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    ssize_t len = real_recvmsg(fd, message, flags);

    if (is_of_channel(fd) && len > 0) {
        unsigned kind = kind_of(message);

        has_stream = has_stream || kind == 2;
        reach_message("received", kind, ++received[kind]);
    }
    return len;
}

/* Each stream is a mapping, which goes when it has been read. */
__attribute__((visibility("default"))) int munmap(void *addr, size_t len)
{
    int failed = real_munmap(addr, len);
    char step[STEP_SIZE];

    if (has_stream) {
        snprintf(step, sizeof step, "read %u", atomic_fetch_add(&streams_read, 1) + 1);
        reach(step);
    }
    return failed;
}
