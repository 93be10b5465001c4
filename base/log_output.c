#include "base/log_output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"

enum { LINE_SIZE_MAX = 8192, HEAD_SIZE = sizeof(uint16_t) };

_Static_assert(LINE_SIZE_MAX <= UINT16_MAX, "a length fits the head of a line");

/* A log has one destination per process. */
static struct {
    atomic_int fd;
    char path[4096];
    _Atomic uint64_t lines_lost;
    void (*on_loss)(uint64_t lines_lost);

    /* The queue, from here guarded by the mutex: lines with their lengths in front, in a ring. */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool has_thread, ends, writes; /* writes: the thread holds a line that is not written yet */
    pthread_t thread;
    unsigned generation; /* of the thread: one that was left to itself finds another */
    uint64_t lines_lost_told;
    size_t begin, len;
    char ring[LOG_QUEUE_BYTES_MAX];
} output = {.fd = STDERR_FILENO, .mutex = PTHREAD_MUTEX_INITIALIZER};

static int open_path(const char *path)
{
    if (strcmp(path, "stdout") == 0) {
        return STDOUT_FILENO;
    }
    if (strcmp(path, "stderr") == 0 || path[0] == '\0') {
        return STDERR_FILENO;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

    return fd < 0 ? -errno : fd;
}

int log_output_open(const char *path)
{
    int fd = open_path(path);

    snprintf(output.path, sizeof output.path, "%s", path);
    atomic_store(&output.fd, fd < 0 ? STDERR_FILENO : fd);
    return fd < 0 ? fd : 0;
}

/* dup3 swaps the file under the old number, so a thread in write(2) never sees a closed one. */
static int install(int fd)
{
    int old = atomic_load(&output.fd);
    int failed = 0;

    if (old <= STDERR_FILENO) {
        atomic_store(&output.fd, fd);
        return 0;
    }
    failed = dup3(fd, old, O_CLOEXEC) < 0 ? -errno : 0;
    if (fd > STDERR_FILENO) {
        close(fd);
    }
    return failed;
}

int log_output_reopen(void)
{
    int fd = open_path(output.path);

    if (fd <= STDERR_FILENO) {
        return fd < 0 ? fd : 0;
    }
    return install(fd);
}

int log_output_move(const char *path)
{
    int fd = open_path(path);

    if (fd < 0) {
        return fd;
    }
    int failed = install(fd);

    if (failed == 0) {
        snprintf(output.path, sizeof output.path, "%s", path);
    }
    return failed;
}

static void count_lost(void)
{
    atomic_fetch_add(&output.lines_lost, 1);
}

uint64_t log_output_lines_lost(void)
{
    return atomic_load(&output.lines_lost);
}

/* Writing. A full disk or a closed pipe must not stop the relay. */

static bool wait_ready(int fd, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};

    return poll(&poll_fd, 1, timeout_ms) == 1;
}

/* Regular files are always ready; a pipe or terminal whose reader stalled is not, and without a
 * thread the caller must not wait for it. POLLOUT on a pipe promises PIPE_BUF bytes. One line at a
 * time: between the poll and the write no other thread may take the room. */
static void write_now(const char *line, size_t len)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    int fd = atomic_load(&output.fd);

    pthread_mutex_lock(&mutex);
    if (!wait_ready(fd, 0) || write(fd, line, len) < 0) {
        count_lost();
    }
    pthread_mutex_unlock(&mutex);
}

/* In the thread: for as long as it takes. */
static bool write_patiently(const char *line, size_t len)
{
    int fd = atomic_load(&output.fd);

    while (len > 0) {
        ssize_t written = write(fd, line, len);

        if (written < 0 && errno == EAGAIN) {
            wait_ready(fd, -1);
        } else if (written < 0 && errno != EINTR) {
            count_lost();
            return false;
        }
        line += written > 0 ? written : 0;
        len -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

/* The queue. With the mutex held. */

static void ring_copy_in(const void *data, size_t len)
{
    size_t end = (output.begin + output.len) % sizeof output.ring;
    size_t first = sizeof output.ring - end < len ? sizeof output.ring - end : len;

    memcpy(output.ring + end, data, first);
    memcpy(output.ring, (const char *)data + first, len - first);
    output.len += len;
}

static void ring_copy_out(void *data, size_t len)
{
    size_t first =
        sizeof output.ring - output.begin < len ? sizeof output.ring - output.begin : len;

    memcpy(data, output.ring + output.begin, first);
    memcpy((char *)data + first, output.ring, len - first);
    output.begin = (output.begin + len) % sizeof output.ring;
    output.len -= len;
}

static bool push(const char *line, size_t len)
{
    uint16_t head = (uint16_t)len;

    if (len > LINE_SIZE_MAX || HEAD_SIZE + len > sizeof output.ring - output.len) {
        return false;
    }
    ring_copy_in(&head, sizeof head);
    ring_copy_in(line, len);
    pthread_cond_broadcast(&output.changed);
    return true;
}

static size_t take(char *line)
{
    uint16_t head;

    ring_copy_out(&head, sizeof head);
    ring_copy_out(line, head);
    return head;
}

/* The thread. */

/* True when losses are to be told: lines are written again, and none waits. */
static bool is_loss_due(uint64_t *ret_lost)
{
    *ret_lost = atomic_load(&output.lines_lost);
    if (output.len > 0 || *ret_lost == output.lines_lost_told) {
        return false;
    }
    output.lines_lost_told = *ret_lost;
    return true;
}

/* With the mutex held, which is given back meanwhile. */
static void write_one(char *line, unsigned generation)
{
    size_t len = take(line);
    uint64_t lost;

    output.writes = true;
    pthread_mutex_unlock(&output.mutex);
    bool is_written = write_patiently(line, len);

    pthread_mutex_lock(&output.mutex);
    if (output.generation != generation) {
        return;
    }
    output.writes = false;
    if (is_written && is_loss_due(&lost)) {
        pthread_mutex_unlock(&output.mutex);
        output.on_loss(lost);
        pthread_mutex_lock(&output.mutex);
    }
    pthread_cond_broadcast(&output.changed);
}

static void *thread_main(void *argument)
{
    char line[LINE_SIZE_MAX];

    pthread_setname_np(pthread_self(), "log");
    pthread_mutex_lock(&output.mutex);
    unsigned generation = output.generation;

    while (output.generation == generation && (output.len > 0 || !output.ends)) {
        if (output.len > 0) {
            write_one(line, generation);
        } else {
            pthread_cond_wait(&output.changed, &output.mutex);
        }
    }
    pthread_mutex_unlock(&output.mutex);
    return NULL;
}

static void fork_prepare(void)
{
    pthread_mutex_lock(&output.mutex);
}

static void fork_parent(void)
{
    pthread_mutex_unlock(&output.mutex);
}

/* With the mutex held. */
static void thread_forget(void)
{
    output.has_thread = false;
    output.writes = false;
    output.len = 0;
    output.generation++;
}

/* The lines in the queue are the parent's. */
static void fork_child(void)
{
    thread_forget();
    pthread_mutex_unlock(&output.mutex);
}

static void changed_init(void)
{
    thread_condition_init(&output.changed);
    pthread_atfork(fork_prepare, fork_parent, fork_child);
}

int log_output_start(void (*on_loss)(uint64_t lines_lost))
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, changed_init);
    pthread_mutex_lock(&output.mutex);
    output.on_loss = on_loss;
    output.has_thread = true;
    output.ends = false;
    int failed = thread_start(&output.thread, thread_main, NULL);

    output.has_thread = failed == 0;
    pthread_mutex_unlock(&output.mutex);
    return failed;
}

/* With the mutex held. True: everything is written. */
static bool wait_written(uint32_t timeout_ms)
{
    uint64_t end_ns = clock_monotonic_ns() + (uint64_t)timeout_ms * 1000000u;
    struct timespec end = {.tv_sec = (time_t)(end_ns / 1000000000u),
                           .tv_nsec = (long)(end_ns % 1000000000u)};
    int failed = 0;

    while ((output.len > 0 || output.writes) && failed == 0) {
        failed = pthread_cond_timedwait(&output.changed, &output.mutex, &end);
    }
    return output.len == 0 && !output.writes;
}

void log_output_flush(uint32_t timeout_ms)
{
    pthread_mutex_lock(&output.mutex);
    if (output.has_thread && pthread_equal(output.thread, pthread_self()) == 0) {
        wait_written(timeout_ms);
    }
    pthread_mutex_unlock(&output.mutex);
}

/* True: the thread is gone, or there was none. */
static bool thread_end(void)
{
    pthread_mutex_lock(&output.mutex);
    bool had_thread = output.has_thread;

    output.ends = true;
    bool is_written = !had_thread || wait_written(LOG_FLUSH_MS);

    pthread_cond_broadcast(&output.changed);
    thread_forget();
    pthread_mutex_unlock(&output.mutex);
    if (had_thread && is_written) {
        pthread_join(output.thread, NULL);
    } else if (had_thread) {
        pthread_detach(output.thread);
    }
    return is_written;
}

void log_output_close(void)
{
    bool may_close = thread_end();
    int fd = atomic_exchange(&output.fd, STDERR_FILENO);

    if (fd > STDERR_FILENO && may_close) {
        close(fd);
    }
}

void log_output_write(const char *line, size_t len)
{
    pthread_mutex_lock(&output.mutex);
    bool has_thread = output.has_thread;

    if (has_thread && !push(line, len)) {
        count_lost();
    }
    pthread_mutex_unlock(&output.mutex);
    if (!has_thread) {
        write_now(line, len);
    }
}
