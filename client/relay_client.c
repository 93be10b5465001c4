#include "client/relay_client.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "base/awake_clock.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/clock.h"
#include "client/client.h"
#include "client/connection.h"
#include "client/credential.h"
#include "client/websocket.h"
#include "wire/utf8_stream.h"

/* Life. */

static int text_replace(char **target, const char *text)
{
    char *copy = text == NULL || text[0] == '\0' ? NULL : strdup(text);

    if (copy == NULL && text != NULL && text[0] != '\0') {
        return -ENOMEM;
    }
    credential_release(*target);
    *target = copy;
    return 0;
}

static void condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

static int resources_init(struct relay_client *client, const struct relay_client_options *options)
{
    if (ring_init(&client->ring, &client->settings.ring) != 0 ||
        text_replace(&client->token, options->token) != 0 ||
        text_replace(&client->token_file, options->token_file) != 0) {
        return -ENOMEM;
    }
    client->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return client->wake_fd < 0 ? -errno : 0;
}

static void client_free(struct relay_client *client)
{
    ring_deinit(&client->ring);
    preamble_unref(client->preamble);
    credential_release(client->token);
    credential_release(client->token_file);
    settings_deinit(&client->settings);
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->mutex);
    pthread_mutex_destroy(&client->life_mutex);
    if (client->wake_fd >= 0) {
        close(client->wake_fd);
    }
    free(client);
}

struct relay_client *relay_client_create(const struct relay_client_options *options,
                                         const struct relay_client_callbacks *callbacks,
                                         char error[RELAY_CLIENT_ERROR_SIZE])
{
    struct relay_client *client = calloc(1, sizeof *client);

    if (client == NULL) {
        snprintf(error, RELAY_CLIENT_ERROR_SIZE, "no memory");
        return NULL;
    }
    if (settings_init(&client->settings, options, error) != 0) {
        free(client);
        return NULL;
    }
    if (callbacks != NULL) {
        client->callbacks = *callbacks;
    }
    client->wake_fd = -1;
    client->connected_fd = -1;
    client->queue_while_disconnected = client->settings.queue_while_disconnected;
    client->timing = client->settings.timing;
    pthread_mutex_init(&client->life_mutex, NULL);
    pthread_mutex_init(&client->mutex, NULL);
    condition_init(&client->changed);

    int failed = resources_init(client, options);

    if (failed != 0) {
        snprintf(error, RELAY_CLIENT_ERROR_SIZE, "cannot create the client: %s", strerror(-failed));
        client_free(client);
        return NULL;
    }
    return client;
}

static void *thread_run(void *context)
{
    connection_run(context);
    return NULL;
}

/* Signals are left to the application's own threads. -errno. */
static int thread_start(struct relay_client *client)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&client->thread, NULL, thread_run, client);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed == 0) {
        pthread_setname_np(client->thread, "relay-client");
    }
    return -failed;
}

int relay_client_start(struct relay_client *client)
{
    int failed = -EALREADY;

    pthread_mutex_lock(&client->life_mutex);
    if (!client->started) {
        pthread_mutex_lock(&client->mutex);
        client->stopping = false;
        /* Messages are accepted from now on: until the first attempt ends, the same rules apply as
         * at any other time without a connection. */
        client->state =
            client->settings.location.websocket ? RELAY_CLIENT_CONNECTING : RELAY_CLIENT_ACCESSING;
        pthread_mutex_unlock(&client->mutex);

        failed = thread_start(client);
        client->started = failed == 0;
        if (failed != 0) {
            pthread_mutex_lock(&client->mutex);
            client->state = RELAY_CLIENT_IDLE;
            pthread_mutex_unlock(&client->mutex);
        }
    }
    pthread_mutex_unlock(&client->life_mutex);
    return failed;
}

void relay_client_stop(struct relay_client *client, uint32_t linger_ms)
{
    pthread_mutex_lock(&client->life_mutex);
    if (client->started) {
        pthread_mutex_lock(&client->mutex);
        client->stopping = true;
        client->linger_ms = linger_ms;
        client_wake(client);
        pthread_cond_broadcast(&client->changed);
        pthread_mutex_unlock(&client->mutex);

        pthread_join(client->thread, NULL);
        client->started = false;
    }
    pthread_mutex_unlock(&client->life_mutex);
}

void relay_client_destroy(struct relay_client *client)
{
    if (client != NULL) {
        relay_client_stop(client, 0);
        client_free(client);
    }
}

/* Settings that may change. */

static int locked_text_replace(struct relay_client *client, char **target, const char *text)
{
    pthread_mutex_lock(&client->mutex);
    int failed = text_replace(target, text);

    pthread_mutex_unlock(&client->mutex);
    return failed;
}

static bool keeps_messages(const struct relay_client *client)
{
    return client->state == RELAY_CLIENT_CONNECTED || client->queue_while_disconnected;
}

void relay_client_set_queue(struct relay_client *client, enum relay_client_drop drop,
                            uint64_t queue_bytes_max, uint64_t queue_age_max_ms,
                            bool queue_while_disconnected)
{
    struct ring_limits limits = settings_ring_limits(drop, queue_bytes_max, queue_age_max_ms, 0);

    pthread_mutex_lock(&client->mutex);
    ring_set_limits(&client->ring, &limits);
    client->queue_while_disconnected = queue_while_disconnected;
    if (!keeps_messages(client)) {
        ring_drop_all(&client->ring, RING_DISCONNECTED);
    }
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->mutex);
}

void relay_client_set_timing(struct relay_client *client,
                             const struct relay_client_options *options)
{
    struct settings_timing timing = settings_timing_of(options);

    pthread_mutex_lock(&client->mutex);
    client->timing = timing;
    pthread_mutex_unlock(&client->mutex);
}

int relay_client_set_token(struct relay_client *client, const char *token)
{
    if (token != NULL && token[0] != '\0' && !credential_is_valid(token)) {
        return -EINVAL;
    }
    return locked_text_replace(client, &client->token, token);
}

int relay_client_set_token_file(struct relay_client *client, const char *path)
{
    return locked_text_replace(client, &client->token_file, path);
}

/* Sending. */

static bool is_running(const struct relay_client *client)
{
    return client->state != RELAY_CLIENT_IDLE && client->state != RELAY_CLIENT_FAILED &&
           !client->stopping;
}

static bool is_lossy(const struct relay_client *client)
{
    return client->ring.limits.drop != RELAY_CLIENT_DROP_NONE;
}

/* Checks that need no copy of the message: 0, or -errno. With the mutex held. */
static int admission(struct relay_client *client, size_t len)
{
    if (!is_running(client)) {
        return -ESHUTDOWN;
    }
    if (!keeps_messages(client)) {
        if (is_lossy(client)) {
            ring_count_drop(&client->ring, len, RING_DISCONNECTED);
        }
        return -EAGAIN;
    }
    return !is_lossy(client) && !ring_has_room(&client->ring, len) ? -EAGAIN : 0;
}

static uint64_t lost_messages(const struct ring *ring)
{
    return ring->dropped_messages[RING_OVERFLOW] + ring->dropped_messages[RING_AGE];
}

/* Queues the message or frees it. */
static int push(struct relay_client *client, struct ring_message *message)
{
    pthread_mutex_lock(&client->mutex);
    int failed = admission(client, message->len);
    uint64_t lost_before = lost_messages(&client->ring);

    if (failed == 0) {
        failed = ring_push(&client->ring, message, clock_monotonic_ns());
        message->preamble = failed == 0 ? preamble_ref(client->preamble) : NULL;
        client->keyframe_wanted =
            client->keyframe_wanted || lost_messages(&client->ring) != lost_before;
        client_wake(client);
    }
    pthread_mutex_unlock(&client->mutex);
    if (failed != 0) {
        ring_message_destroy(message);
    }
    return failed;
}

/* Slices may split characters. */
static bool slices_are_utf8(const struct relay_client_slice *slices, size_t slices_count)
{
    struct utf8_stream text;

    utf8_stream_init(&text);
    for (size_t i = 0; i < slices_count; i++) {
        if (!utf8_stream_take(&text, bytes_of(slices[i].data, slices[i].len))) {
            return false;
        }
    }
    return utf8_stream_is_whole(&text);
}

int relay_client_set_preamble(struct relay_client *client,
                              const struct relay_client_slice *messages, size_t count)
{
    struct preamble *preamble = NULL;
    int failed = 0;

    pthread_mutex_lock(&client->mutex);
    if (!preamble_equals(client->preamble, messages, count)) {
        failed = count == 0
                     ? 0
                     : preamble_create(messages, count, WEBSOCKET_MESSAGE_BYTES_MAX, &preamble);
        if (failed == 0) {
            preamble_unref(client->preamble);
            client->preamble = preamble;
        }
    }
    pthread_mutex_unlock(&client->mutex);
    return failed;
}

int relay_client_send_slices(struct relay_client *client, enum relay_client_type type,
                             const struct relay_client_slice *slices, size_t slices_count,
                             unsigned flags)
{
    size_t len = 0;

    CHECK(type == RELAY_CLIENT_TEXT || type == RELAY_CLIENT_BINARY);
    for (size_t i = 0; i < slices_count; i++) {
        if (slices[i].len > WEBSOCKET_MESSAGE_BYTES_MAX - len) {
            return -EMSGSIZE;
        }
        len += slices[i].len;
    }
    pthread_mutex_lock(&client->mutex);
    int failed = admission(client, len);

    pthread_mutex_unlock(&client->mutex);
    if (failed != 0) {
        return failed;
    }
    if (type == RELAY_CLIENT_TEXT && !slices_are_utf8(slices, slices_count)) {
        return -EILSEQ;
    }
    struct ring_message *message = ring_message_create(type, slices, slices_count, len, flags);

    return message == NULL ? -ENOMEM : push(client, message);
}

int relay_client_send(struct relay_client *client, enum relay_client_type type, const void *data,
                      size_t len, unsigned flags)
{
    struct relay_client_slice slice = {.data = data, .len = len};

    return relay_client_send_slices(client, type, &slice, 1, flags);
}

void relay_client_flush(struct relay_client *client)
{
    pthread_mutex_lock(&client->mutex);
    ring_drop_all(&client->ring, RING_FLUSHED);
    if (client->ring.awaits_random_access) {
        client->keyframe_wanted = true;
        client_wake(client);
    }
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->mutex);
}

/* Waiting. */

static struct timespec deadline_after(uint64_t timeout_ms)
{
    uint64_t at_ns = clock_monotonic_ns() + timeout_ms * 1000000u;

    return (struct timespec){.tv_sec = (time_t)(at_ns / 1000000000u),
                             .tv_nsec = (long)(at_ns % 1000000000u)};
}

struct wish {
    bool drained; /* otherwise: room for len */
    size_t len;
    bool while_connected;
};

static bool wish_is_true(const struct relay_client *client, const struct wish *wish)
{
    if (wish->drained) {
        return client->ring.count == 0;
    }
    if (wish->while_connected && client->state != RELAY_CLIENT_CONNECTED) {
        return false;
    }
    return ring_has_room(&client->ring, wish->len);
}

/* Waits for a change, at most until end_ms by the clock. With the mutex held. */
static void wait_step(struct relay_client *client, struct awake_clock *clock, uint64_t end_ms)
{
    uint64_t left_ms = end_ms - clock->now_ms;
    uint64_t wait_ms = left_ms < AWAKE_CLOCK_STEP_MS ? left_ms : AWAKE_CLOCK_STEP_MS;
    struct timespec deadline = deadline_after(wait_ms);

    pthread_cond_timedwait(&client->changed, &client->mutex, &deadline);
    awake_clock_advance(clock, clock_monotonic_ms(), wait_ms);
}

static int wait_for(struct relay_client *client, const struct wish *wish, uint32_t timeout_ms)
{
    struct awake_clock clock;
    int failed;

    awake_clock_init(&clock, clock_monotonic_ms());
    uint64_t end_ms = clock.now_ms + timeout_ms;

    pthread_mutex_lock(&client->mutex);
    for (;;) {
        if (client->waits_cancelled) {
            failed = -ECANCELED;
            break;
        }
        if (!is_running(client)) {
            failed = -ESHUTDOWN;
            break;
        }
        if (wish_is_true(client, wish)) {
            failed = 0;
            break;
        }
        if (clock.now_ms >= end_ms) {
            failed = -ETIMEDOUT;
            break;
        }
        wait_step(client, &clock, end_ms);
    }
    pthread_mutex_unlock(&client->mutex);
    return failed;
}

int relay_client_wait_room(struct relay_client *client, size_t len, bool while_connected,
                           uint32_t timeout_ms)
{
    struct wish wish = {.len = len, .while_connected = while_connected};

    return wait_for(client, &wish, timeout_ms);
}

int relay_client_drain(struct relay_client *client, uint32_t timeout_ms)
{
    struct wish wish = {.drained = true};

    return wait_for(client, &wish, timeout_ms);
}

void relay_client_cancel_waits(struct relay_client *client, bool cancelled)
{
    pthread_mutex_lock(&client->mutex);
    client->waits_cancelled = cancelled;
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->mutex);
}

/* Statistics and names. */

static uint64_t kernel_unsent(const struct relay_client *client)
{
    int bytes = 0;

    if (client->connected_fd < 0 || ioctl(client->connected_fd, SIOCOUTQ, &bytes) != 0) {
        return 0;
    }
    return (uint64_t)bytes;
}

static void ring_statistics(const struct ring *ring, uint64_t now_ns,
                            struct relay_client_statistics *statistics)
{
    statistics->drops_disconnected = ring->dropped_messages[RING_DISCONNECTED];
    statistics->drops_overflow = ring->dropped_messages[RING_OVERFLOW];
    statistics->drops_age = ring->dropped_messages[RING_AGE];
    for (int cause = 0; cause < RING_CAUSE_COUNT; cause++) {
        statistics->messages_dropped += ring->dropped_messages[cause];
    }
    statistics->bytes_dropped = ring->dropped_bytes;
    statistics->queue_messages = ring->count;
    statistics->queue_bytes = ring->bytes;
    statistics->queue_age_ns = ring_age_ns(ring, now_ns);
}

void relay_client_statistics(struct relay_client *client,
                             struct relay_client_statistics *ret_statistics)
{
    uint64_t now_ns = clock_monotonic_ns();

    pthread_mutex_lock(&client->mutex);
    *ret_statistics = client->statistics;
    ret_statistics->state = client->state;
    ret_statistics->kernel_unsent_bytes = kernel_unsent(client);
    if (client->connected_at_ns != 0 && now_ns > client->connected_at_ns) {
        ret_statistics->connected_ns = now_ns - client->connected_at_ns;
    }
    if (ret_statistics->messages_sent > 0) {
        ret_statistics->send_latency_average_ns =
            client->send_latency_sum_ns / ret_statistics->messages_sent;
    }
    ring_statistics(&client->ring, now_ns, ret_statistics);
    ret_statistics->queue_bytes -= client->begun_bytes;
    pthread_mutex_unlock(&client->mutex);
}

const char *relay_client_state_text(enum relay_client_state state)
{
    switch (state) {
    case RELAY_CLIENT_IDLE:
        return "idle";
    case RELAY_CLIENT_ACCESSING:
        return "accessing";
    case RELAY_CLIENT_CONNECTING:
        return "connecting";
    case RELAY_CLIENT_CONNECTED:
        return "connected";
    case RELAY_CLIENT_WAITING:
        return "waiting";
    case RELAY_CLIENT_FAILED:
        return "failed";
    }
    return "unknown";
}

const char *relay_client_fault_text(enum relay_client_fault fault)
{
    switch (fault) {
    case RELAY_CLIENT_FAULT_NONE:
        return "none";
    case RELAY_CLIENT_FAULT_TOKEN_FILE:
        return "token-file";
    case RELAY_CLIENT_FAULT_RESOLVE:
        return "resolve";
    case RELAY_CLIENT_FAULT_CONNECT:
        return "connect";
    case RELAY_CLIENT_FAULT_TLS:
        return "tls";
    case RELAY_CLIENT_FAULT_TIMEOUT:
        return "timeout";
    case RELAY_CLIENT_FAULT_REFUSED:
        return "refused";
    case RELAY_CLIENT_FAULT_HTTP:
        return "http";
    case RELAY_CLIENT_FAULT_CLOSED:
        return "closed";
    case RELAY_CLIENT_FAULT_STALLED:
        return "stalled";
    }
    return "unknown";
}
