#include "host/device/device.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/utf8.h"
#include "host/device/endpoint.h"
#include "host/device/line_cutter.h"
#include "host/feed/parcel_queue.h"

enum { READ_SIZE = 16 * 1024, READS_MAX = 16, END_STEP_MS = 10 };

struct device {
    struct loop *loop;
    struct feed_table *feeds;
    struct device_rule rule;
    struct feed_member member;
    struct loop_watch watch; /* fd -1: not open */
    struct loop_timer retry;
    pid_t pid; /* 0: none */
    uint64_t opened_ms, delay_ms;

    struct line_cutter cutter;
    struct parcel_queue queue;
    struct parcel *sending;
    size_t sent;
};

const struct device_rule *device_rule(const struct device *device)
{
    return &device->rule;
}

bool device_is_open(const struct device *device)
{
    return device->watch.fd >= 0;
}

static const char *name(const struct device *device)
{
    return device->rule.words_count > 0 ? device->rule.words[0] : device->rule.serial;
}

/* Programs. */

static bool has_ended(struct device *device)
{
    if (device->pid != 0 && waitpid(device->pid, NULL, WNOHANG) != 0) {
        device->pid = 0;
    }
    return device->pid == 0;
}

/* Its whole group, for a program may have started others. */
static void end_program(struct device *device)
{
    if (device->pid == 0) {
        return;
    }
    pid_t group = device->pid;

    kill(-group, SIGTERM);
    for (unsigned waited_ms = 0; !has_ended(device) && waited_ms < DEVICE_END_MS;
         waited_ms += END_STEP_MS) {
        poll(NULL, 0, END_STEP_MS);
    }
    kill(-group, SIGKILL);
    if (device->pid != 0) {
        waitpid(device->pid, NULL, 0);
        device->pid = 0;
    }
}

/* Opening and failing. */

static void close_endpoint(struct device *device)
{
    if (device_is_open(device)) {
        loop_watch_remove(device->loop, &device->watch);
        close(device->watch.fd);
        device->watch.fd = -1;
    }
    parcel_unref(device->sending);
    device->sending = NULL;
    line_cutter_init(&device->cutter);
}

static void fail(struct device *device, const char *reason)
{
    if (device_is_open(device) && device->loop->now_ms - device->opened_ms >= DEVICE_HEALTHY_MS) {
        device->delay_ms = DEVICE_RETRY_MS;
    }
    close_endpoint(device);
    log_warn("device lost", LOG_TEXT("device", name(device)), LOG_TEXT("reason", reason),
             LOG_INT("retry_in_ms", device->delay_ms));
    loop_timer_arm(device->loop, &device->retry, device->loop->now_ms + device->delay_ms);
    device->delay_ms *= 2;
    if (device->delay_ms > DEVICE_RETRY_MAX_MS) {
        device->delay_ms = DEVICE_RETRY_MAX_MS;
    }
}

static void open_endpoint(struct device *device)
{
    const struct device_rule *rule = &device->rule;
    int fd = rule->words_count > 0 ? endpoint_start_program(rule->words, &device->pid)
                                   : endpoint_open_serial(rule->serial, rule->speed);

    device->opened_ms = device->loop->now_ms;
    if (fd < 0) {
        fail(device, strerror(-fd));
        return;
    }
    device->watch.fd = fd;
    device->watch.events = EPOLLIN | EPOLLOUT;
    int failed = loop_watch_add(device->loop, &device->watch);

    if (failed != 0) {
        close(fd);
        device->watch.fd = -1;
        fail(device, strerror(-failed));
        return;
    }
    log_info("device opened", LOG_TEXT("device", name(device)), LOG_TEXT("stream", rule->stream));
}

static void on_retry(struct loop_timer *timer)
{
    struct device *device = container_of(timer, struct device, retry);

    end_program(device); /* it may have closed its output only */
    open_endpoint(device);
}

/* From the device. */

static void publish(struct device *device, struct bytes content)
{
    bool is_text = !device->rule.is_raw && utf8_is_valid(content);
    struct parcel *parcel =
        parcel_create(is_text ? PARCEL_TEXT : PARCEL_BINARY, content, device->loop->now_ms);

    if (parcel != NULL) {
        feed_publish(device->feeds, &device->member, parcel);
        parcel_unref(parcel);
    }
}

static void take(struct device *device, struct bytes input)
{
    struct bytes line;

    if (device->rule.is_raw) {
        publish(device, input);
        return;
    }
    while (line_cutter_take(&device->cutter, &input, &line)) {
        publish(device, line);
    }
}

/* False: the device has ended. */
static bool receive(struct device *device)
{
    uint8_t data[READ_SIZE];

    for (unsigned i = 0; i < READS_MAX; i++) {
        ssize_t got = read(device->watch.fd, data, sizeof data);

        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            return true;
        }
        if (got <= 0) {
            fail(device, got == 0 ? "it has ended" : strerror(errno));
            return false;
        }
        take(device, bytes_of(data, (size_t)got));
    }
    return true;
}

/* To the device. */

static bool ends_line(const struct parcel *parcel)
{
    return parcel->len > 0 && parcel->data[parcel->len - 1] == '\n';
}

/* A message with the line end that it gets. */
static size_t len_of(const struct device *device, const struct parcel *parcel)
{
    return parcel->len + (device->rule.is_raw || ends_line(parcel) ? 0 : 1);
}

/* In one write, so that a device gets whole lines. */
static ssize_t send_some(struct device *device)
{
    struct parcel *parcel = device->sending;
    size_t left = len_of(device, parcel) - device->sent;
    size_t content_left = device->sent < parcel->len ? parcel->len - device->sent : 0;
    struct iovec parts[] = {
        {.iov_base = parcel->data + device->sent, .iov_len = content_left},
        {.iov_base = (char[]){"\n"}, .iov_len = left - content_left},
    };

    return writev(device->watch.fd, parts, ARRAY_LENGTH(parts));
}

/* False: the device has ended. */
static bool flush(struct device *device)
{
    for (;;) {
        if (device->sending == NULL) {
            device->sending = parcel_queue_pop(&device->queue, device->loop->now_ms);
            device->sent = 0;
        }
        if (device->sending == NULL) {
            loop_watch_change(device->loop, &device->watch, EPOLLIN);
            return true;
        }
        if (device->sent < len_of(device, device->sending)) {
            ssize_t written = send_some(device);

            if (written < 0 && (errno == EAGAIN || errno == EINTR)) {
                return true;
            }
            if (written < 0) {
                fail(device, strerror(errno));
                return false;
            }
            device->sent += (size_t)written;
        }
        if (device->sent == len_of(device, device->sending)) {
            parcel_unref(device->sending);
            device->sending = NULL;
        }
    }
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    struct device *device = container_of(watch, struct device, watch);

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !receive(device)) {
        return;
    }
    if (events & EPOLLOUT) {
        (void)flush(device);
    }
}

static void on_message(struct feed_member *member, const struct feed_member *sender,
                       struct parcel *parcel)
{
    struct device *device = container_of(member, struct device, member);

    parcel_queue_push(&device->queue, parcel_ref(parcel));
    if (device_is_open(device)) {
        loop_watch_change(device->loop, &device->watch, EPOLLIN | EPOLLOUT);
    }
}

/* Life. */

struct device *device_create(struct loop *loop, struct feed_table *feeds, struct device_rule *rule,
                             uint64_t queue_age_max_ms)
{
    struct device *device = calloc(1, sizeof *device);

    if (device == NULL || feed_join(feeds, rule->stream, &device->member) != 0) {
        device_rule_release(rule);
        free(device);
        return NULL;
    }
    device->loop = loop;
    device->feeds = feeds;
    device->rule = *rule;
    *rule = (struct device_rule){0};
    device->member.on_message = on_message;
    device->watch = (struct loop_watch){.fd = -1, .on_ready = on_ready};
    device->delay_ms = DEVICE_RETRY_MS;
    loop_timer_init(&device->retry, on_retry);
    line_cutter_init(&device->cutter);
    parcel_queue_init(&device->queue, queue_age_max_ms);
    open_endpoint(device);
    return device;
}

void device_destroy(struct device *device)
{
    if (device == NULL) {
        return;
    }
    feed_leave(&device->member);
    loop_timer_disarm(&device->retry);
    close_endpoint(device);
    end_program(device);
    parcel_queue_deinit(&device->queue);
    device_rule_release(&device->rule);
    free(device);
}
