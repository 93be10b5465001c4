#include "cli/client_output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"

static int path_open(const char *path)
{
    int fd = path == NULL ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
                          : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

    return fd < 0 ? -errno : fd;
}

static bool may_wait(int fd)
{
    struct stat status;

    return fstat(fd, &status) != 0 || !S_ISREG(status.st_mode);
}

int client_output_open(struct client_output *output, const char *path)
{
    memset(output, 0, sizeof *output);
    output->path = text_is_empty(path) || strcmp(path, "-") == 0 ? NULL : path;
    output->fd = path_open(output->path);
    if (output->fd < 0) {
        return output->fd;
    }
    output->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (output->cancel_fd < 0) {
        int failed = -errno;

        close(output->fd);
        return failed;
    }
    output->waits = may_wait(output->fd);
    pthread_mutex_init(&output->mutex, NULL);
    return 0;
}

void client_output_close(struct client_output *output)
{
    close(output->fd);
    close(output->cancel_fd);
    pthread_mutex_destroy(&output->mutex);
}

/* 0 when a write of up to PIPE_BUF bytes will not block. */
static int wait_writable(const struct client_output *output)
{
    struct pollfd fds[] = {{.fd = output->cancel_fd, .events = POLLIN},
                           {.fd = output->fd, .events = POLLOUT}};

    while (poll(fds, ARRAY_LENGTH(fds), -1) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return fds[0].revents != 0 ? -ECANCELED : 0;
}

/* Removes a partly written message, so that a full disk leaves no torn line, unless another process
 * has written after it. */
static void written_undo(const struct client_output *output, size_t written)
{
    off_t end = lseek(output->fd, 0, SEEK_CUR);
    off_t begin = end - (off_t)written;
    struct stat status;

    if (!output->waits && written > 0 && begin >= 0 && fstat(output->fd, &status) == 0 &&
        status.st_size == end && ftruncate(output->fd, begin) == 0) {
        lseek(output->fd, begin, SEEK_SET);
    }
}

static int write_all(const struct client_output *output, const char *data, size_t len)
{
    size_t done = 0;

    while (done < len) {
        size_t left = len - done;
        size_t step = output->waits && left > PIPE_BUF ? PIPE_BUF : left;
        int failed = output->waits ? wait_writable(output) : 0;

        if (failed != 0) {
            return failed;
        }
        ssize_t written = write(output->fd, data + done, step);

        if (written < 0 && errno != EINTR && errno != EAGAIN) {
            failed = -errno;
            written_undo(output, done);
            return failed;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    return 0;
}

/* With the mutex held. */
static int reopen_now(struct client_output *output)
{
    if (output->path == NULL) {
        return 0;
    }
    int fd = path_open(output->path);

    if (fd < 0) {
        return fd;
    }
    close(output->fd);
    output->fd = fd;
    output->waits = may_wait(fd);
    return 0;
}

int client_output_write(struct client_output *output, const void *data, size_t len)
{
    pthread_mutex_lock(&output->mutex);
    int reopened = atomic_exchange(&output->reopen_wanted, false) ? reopen_now(output) : 0;
    int failed = write_all(output, data, len);

    if (atomic_exchange(&output->reopen_wanted, false)) {
        reopened = reopen_now(output);
    }
    pthread_mutex_unlock(&output->mutex);
    if (reopened != 0) {
        log_error("cannot reopen the file; the old one stays in use",
                  LOG_TEXT("file", output->path), LOG_TEXT("error", strerror(-reopened)));
    }
    return failed;
}

int client_output_reopen(struct client_output *output)
{
    /* A blocked write may hold the mutex indefinitely; the main thread must not wait for it. */
    atomic_store(&output->reopen_wanted, true);
    if (pthread_mutex_trylock(&output->mutex) != 0) {
        return 0;
    }
    int failed = atomic_exchange(&output->reopen_wanted, false) ? reopen_now(output) : 0;

    pthread_mutex_unlock(&output->mutex);
    return failed;
}

void client_output_cancel(struct client_output *output)
{
    uint64_t one = 1;
    ssize_t ignored UNUSED = write(output->cancel_fd, &one, sizeof one);
}
