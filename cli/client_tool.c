#include "cli/client_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "client/net/url.h"

/* Options. */

static bool is_empty(const char *text)
{
    return text == NULL || *text == '\0';
}

static bool is_direct(const char *session)
{
    return strncasecmp(session, "ws://", 5) == 0 || strncasecmp(session, "wss://", 6) == 0;
}

/* Scripts match the wording and the stream. */
static bool options_are_complete(const struct option_table *table,
                                 const struct client_tool_options *options)
{
    unsigned missing = options_report_missing(table, options, "", " not set", stdout);

    if (is_empty(options->token) && is_empty(options->token_file) &&
        (missing > 0 || !is_direct(options->session))) {
        printf("RELAY_CLIENT_TOKEN not set\n");
        missing++;
    }
    return missing == 0;
}

bool client_tool_options_read(const struct option_table *table, int argc, char **argv, void *values,
                              int *ret_status)
{
    char error[OPTIONS_ERROR_SIZE];

    switch (options_parse(table, argc, argv, values, error)) {
    case OPTIONS_OK:
        if (options_are_complete(table, values)) {
            return true;
        }
        *ret_status = CLIENT_TOOL_CONFIG;
        return false;
    case OPTIONS_HELP:
        *ret_status = CLIENT_TOOL_OK;
        return false;
    case OPTIONS_ERROR:
        fprintf(stderr, "%s: %s\n", table->command, error);
        *ret_status = CLIENT_TOOL_CONFIG;
        return false;
    }
    return false;
}

struct relay_client_options client_tool_client_options(const struct client_tool_options *options)
{
    return (struct relay_client_options){
        .location = options->session,
        .token = options->token,
        .token_file = options->token_file,
        .ca_file = options->ca_file,
        .insecure = options->insecure,
        .insecure_name = "--insecure",
    };
}

void client_tool_warn_insecure(bool insecure)
{
    if (insecure) {
        log_warn("TLS certificate verification is disabled (--insecure): the server's identity is "
                 "not checked");
    }
}

bool client_tool_allow_plain(const char *url, bool insecure)
{
    struct url parsed;

    if (insecure || url_parse(url, &parsed) != URL_OK || parsed.tls || url_is_loopback(&parsed)) {
        return false;
    }
    log_warn("the connection is not encrypted: others can read and change the token and the "
             "messages; use https://");
    return true;
}

/* Log lines. */

static enum log_level event_level(const struct relay_client_event *event)
{
    if (event->state == RELAY_CLIENT_FAILED || event->fault == RELAY_CLIENT_FAULT_REFUSED) {
        return LOG_LEVEL_ERROR;
    }
    if (event->fault != RELAY_CLIENT_FAULT_NONE) {
        return LOG_LEVEL_WARN;
    }
    return event->state == RELAY_CLIENT_CONNECTED ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
}

void client_tool_log_event(const struct relay_client_event *event)
{
    enum log_level level = event_level(event);

    if (event->fault == RELAY_CLIENT_FAULT_NONE) {
        LOG_EVENT(level, event->message, LOG_TEXT("state", relay_client_state_text(event->state)));
        return;
    }
    LOG_EVENT(level, event->message, LOG_TEXT("state", relay_client_state_text(event->state)),
              LOG_TEXT("fault", relay_client_fault_text(event->fault)),
              LOG_INT("http_status", event->http_status), LOG_INT("close_code", event->close_code),
              LOG_INT("attempt", event->attempt), LOG_INT("retry_in_ms", event->retry_in_ms));
}

/* Signals. */

static sigset_t handled_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    return set;
}

void client_tool_signals_take(void)
{
    sigset_t set = handled_signals();

    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int client_tool_signal_wait(void)
{
    sigset_t set = handled_signals();
    int number = 0;

    while (sigwait(&set, &number) != 0) {
    }
    return number;
}

int client_tool_signal_wait_ms(uint64_t timeout_ms)
{
    sigset_t set = handled_signals();
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ms / 1000),
                               .tv_nsec = (long)(timeout_ms % 1000 * 1000000)};
    int number = sigtimedwait(&set, NULL, &timeout);

    return number < 0 ? 0 : number;
}

/* Output. */

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
    output->path = is_empty(path) || strcmp(path, "-") == 0 ? NULL : path;
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
