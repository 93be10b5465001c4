#include "host/destination/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "base/version.h"
#include "host/feed/parcel_queue.h"

struct link {
    struct link_group *links;
    struct relay_client *client;
    char *id;
    uint64_t queue_age_max_ms;
    bool on_demand;
    bool drops_to_keys; /* its client's queue drops up to a key picture */
    uint16_t close_code;

    pthread_mutex_t mutex;
    struct parcel_queue received; /* guarded */

    /* The client's thread only. */
    char warned[RELAY_CLIENT_ERROR_SIZE]; /* the last failure that was logged as a warning */
    uint64_t warned_ms;
};

int link_group_init(struct link_group *links)
{
    *links = (struct link_group){.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    pthread_mutex_init(&links->mutex, NULL);
    thread_condition_init(&links->closed);
    return links->wake_fd < 0 ? -errno : 0;
}

static struct timespec deadline_after(uint32_t timeout_ms)
{
    uint64_t at_ns = clock_monotonic_ns() + timeout_ms * 1000000ull;

    return (struct timespec){.tv_sec = (time_t)(at_ns / 1000000000u),
                             .tv_nsec = (long)(at_ns % 1000000000u)};
}

bool link_group_deinit(struct link_group *links, uint32_t timeout_ms)
{
    struct timespec deadline = deadline_after(timeout_ms);
    int failed = 0;

    pthread_mutex_lock(&links->mutex);
    while (links->closing > 0 && failed == 0) {
        failed = pthread_cond_timedwait(&links->closed, &links->mutex, &deadline);
    }
    bool all_closed = links->closing == 0;

    pthread_mutex_unlock(&links->mutex);
    if (all_closed) {
        close(links->wake_fd);
        pthread_cond_destroy(&links->closed);
        pthread_mutex_destroy(&links->mutex);
    }
    return all_closed;
}

void link_group_wake_taken(struct link_group *links)
{
    uint64_t count;

    (void)!read(links->wake_fd, &count, sizeof count);
}

static void wake(struct link_group *links)
{
    uint64_t one = 1;

    (void)!write(links->wake_fd, &one, sizeof one); /* full: it is readable anyway */
}

/* On the client's thread. */

static bool is_new_failure(struct link *link, const char *text)
{
    uint64_t now_ms = clock_monotonic_ms();
    bool is_new = strncmp(link->warned, text, sizeof link->warned - 1) != 0 ||
                  now_ms - link->warned_ms > LINK_WARN_AGAIN_MS;

    if (is_new) {
        snprintf(link->warned, sizeof link->warned, "%s", text);
        link->warned_ms = now_ms;
    }
    return is_new;
}

/* A failure that repeats is told once, so that a cancelled booking does not fill a disk. */
static void on_event(const struct relay_client_event *event, void *context)
{
    struct link *link = context;

    switch (event->state) {
    case RELAY_CLIENT_CONNECTED:
        link->warned[0] = '\0';
        log_info("destination connected", LOG_TEXT("id", link->id),
                 LOG_TEXT("state", event->message));
        break;
    case RELAY_CLIENT_WAITING:
    case RELAY_CLIENT_FAILED:
        if (is_new_failure(link, event->message)) {
            log_warn("destination not connected", LOG_TEXT("id", link->id),
                     LOG_TEXT("reason", event->message), LOG_INT("status", event->http_status),
                     LOG_INT("retry_in_ms", event->retry_in_ms));
        }
        break;
    case RELAY_CLIENT_IDLE:
    case RELAY_CLIENT_ACCESSING:
    case RELAY_CLIENT_CONNECTING:
        break;
    }
}

static void on_notice(const struct relay_client_notice *notice, void *context)
{
    const struct link *link = context;
    const char *fault = relay_client_renewal_fault(notice->renewal);

    if (notice->kind == RELAY_CLIENT_NOTICE_EXPIRY && fault != NULL) {
        log_warn("the relay did not take the new token", LOG_TEXT("id", link->id),
                 LOG_TEXT("reason", fault));
    }
}

static void on_message(enum relay_client_type type, const void *data, size_t len, void *context)
{
    struct link *link = context;
    struct parcel *message =
        parcel_create((enum parcel_type)type, bytes_of(data, len), clock_monotonic_ms());

    pthread_mutex_lock(&link->mutex);
    if (message != NULL) {
        parcel_queue_push(&link->received, message);
    }
    pthread_mutex_unlock(&link->mutex);
    wake(link->links);
}

/* On the host's thread. */

static void destroy(struct link *link)
{
    relay_client_destroy(link->client);
    parcel_queue_deinit(&link->received);
    pthread_mutex_destroy(&link->mutex);
    free(link->id);
    free(link);
}

static const char *or_null(const char *text)
{
    return text_is_empty(text) ? NULL : text;
}

static struct relay_client *client_create(struct link *link, const struct link_options *options,
                                          char *error)
{
    struct relay_client_options client_options = {
        .location = options->destination,
        .token = or_null(options->token),
        .token_file = or_null(options->token_file),
        .ca_file = options->ca_file,
        .allow_plain = true,
        .user_agent = "relay-host/" RELAY_VERSION,
        .relay_v1 = true,
        .hold_age_max_ms = LINK_HOLD_MS,
        .reconnect_delay_ms = LINK_RETRY_MS,
        .reconnect_delay_max_ms = LINK_RETRY_MAX_MS,
        .reconnect_steadily = true,
        .stall_timeout_ms = LINK_STALL_MS,
        .ping_interval_ms = LINK_PING_MS,
        .drop = RELAY_CLIENT_DROP_OLDEST,
        .queue_messages_max = PARCEL_QUEUE_MESSAGES_MAX,
        .queue_bytes_max = PARCEL_QUEUE_BYTES_MAX,
        .queue_age_max_ms = options->queue_age_max_ms,
        .queue_while_disconnected = true,
    };
    struct relay_client_callbacks callbacks = {
        .on_event = on_event, .on_message = on_message, .on_notice = on_notice, .context = link};

    return relay_client_create(&client_options, &callbacks, error);
}

struct link *link_open(struct link_group *links, const struct link_options *options,
                       char error[static RELAY_CLIENT_ERROR_SIZE])
{
    struct link *link = calloc(1, sizeof *link);

    snprintf(error, RELAY_CLIENT_ERROR_SIZE, "no memory");
    if (link == NULL) {
        return NULL;
    }
    link->links = links;
    link->queue_age_max_ms = options->queue_age_max_ms;
    link->on_demand = options->on_demand;
    link->id = strdup(options->id);
    pthread_mutex_init(&link->mutex, NULL);
    parcel_queue_init(&link->received, 0);
    if (link->id != NULL) {
        link->client = client_create(link, options, error);
    }
    if (link->client == NULL || relay_client_start(link->client) != 0) {
        destroy(link);
        return NULL;
    }
    return link;
}

static void *close_main(void *context)
{
    struct link *link = context;
    struct link_group *links = link->links;

    relay_client_leave(link->client, link->close_code, LINK_LINGER_MS);
    destroy(link);
    pthread_mutex_lock(&links->mutex);
    CHECK(links->closing > 0);
    links->closing--;
    pthread_cond_signal(&links->closed);
    pthread_mutex_unlock(&links->mutex);
    return NULL;
}

void link_close(struct link *link, uint16_t code)
{
    pthread_t thread;

    if (link == NULL) {
        return;
    }
    pthread_mutex_lock(&link->links->mutex);
    link->links->closing++;
    pthread_mutex_unlock(&link->links->mutex);
    link->close_code = code;
    if (thread_start(&thread, close_main, link) == 0) {
        pthread_detach(thread);
    } else {
        close_main(link);
    }
}

/* From the first key picture on, what is dropped ends at one. */
static void follow_video(struct link *link)
{
    if (!link->drops_to_keys) {
        link->drops_to_keys = true;
        relay_client_set_queue(link->client, RELAY_CLIENT_DROP_KEYFRAME, PARCEL_QUEUE_BYTES_MAX,
                               link->queue_age_max_ms, true);
    }
}

bool link_send(struct link *link, const struct parcel *message)
{
    /* Messages without key pictures of their own, such as lines of data beside a video, are as good
     * a start as any. */
    unsigned flags = message->random_access || !message->is_video ? RELAY_CLIENT_RANDOM_ACCESS : 0;

    if (message->is_video) {
        follow_video(link);
        flags |= link->on_demand ? RELAY_CLIENT_ON_DEMAND : 0;
    }
    int failed = relay_client_send(link->client, (enum relay_client_type)message->type,
                                   message->data, message->len, flags);

    if (failed == -EILSEQ) {
        failed = relay_client_send(link->client, RELAY_CLIENT_BINARY, message->data, message->len,
                                   flags);
    }
    return failed == 0;
}

struct parcel *link_receive(struct link *link, uint64_t now_ms)
{
    pthread_mutex_lock(&link->mutex);
    struct parcel *message = parcel_queue_pop(&link->received, now_ms);

    pthread_mutex_unlock(&link->mutex);
    return message;
}

void link_statistics(struct link *link, struct relay_client_statistics *ret_statistics)
{
    relay_client_statistics(link->client, ret_statistics);
}

uint64_t link_dropped(struct link *link)
{
    pthread_mutex_lock(&link->mutex);
    uint64_t dropped = link->received.dropped;

    pthread_mutex_unlock(&link->mutex);
    return dropped;
}
