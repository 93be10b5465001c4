#include "client/relay_client.h"

#include <errno.h>
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
#include "base/thread.h"
#include "client/client.h"
#include "client/connection.h"
#include "client/credential.h"
#include "client/websocket.h"
#include "wire/utf8_stream.h"
#include "wire/ws_frame.h"

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
    hold_deinit(&client->hold);
    inbox_deinit(&client->inbox);
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
    client->close_code = WS_CLOSE_NORMAL;
    client->queue_while_disconnected = client->settings.queue_while_disconnected;
    client->timing = client->settings.timing;
    client->statistics.viewers = -1;
    struct hold_limits hold =
        settings_hold_limits(client->settings.hold_age_max_ns, &client->settings.ring);

    hold_init(&client->hold, &hold);
    inbox_init(&client->inbox, &client->settings.inbox);
    pthread_mutex_init(&client->life_mutex, NULL);
    pthread_mutex_init(&client->mutex, NULL);
    thread_condition_init(&client->changed);

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

static int start_thread(struct relay_client *client)
{
    int failed = thread_start(&client->thread, thread_run, client);

    if (failed == 0) {
        pthread_setname_np(client->thread, "relay-client");
    }
    return failed;
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

        failed = start_thread(client);
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
    relay_client_leave(client, WS_CLOSE_NORMAL, linger_ms);
}

void relay_client_leave(struct relay_client *client, uint16_t close_code, uint32_t linger_ms)
{
    pthread_mutex_lock(&client->life_mutex);
    if (client->started) {
        pthread_mutex_lock(&client->mutex);
        client->stopping = true;
        client->linger_ms = linger_ms;
        client->close_code = close_code;
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
    struct hold_limits hold =
        settings_hold_limits(client->settings.hold_age_max_ns, &client->ring.limits);

    hold_set_limits(&client->hold, &hold);
    client->queue_while_disconnected = queue_while_disconnected;
    if (!keeps_messages(client)) {
        ring_drop_all(&client->ring, RING_DISCONNECTED);
        hold_flush(&client->hold);
    }
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->mutex);
}

void relay_client_set_receive_queue(struct relay_client *client, uint64_t receive_queue_bytes_max,
                                    uint64_t receive_age_max_ms)
{
    struct inbox_limits limits = settings_inbox_limits(receive_queue_bytes_max, receive_age_max_ms);

    CHECK(client->settings.inbox.bytes_max > 0 && receive_queue_bytes_max > 0);
    pthread_mutex_lock(&client->mutex);
    inbox_set_limits(&client->inbox, &limits);
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

/* The wish takes the place of the others, which it contradicts. */
static void wish_instead(struct relay_client *client, enum client_wish what, unsigned others)
{
    pthread_mutex_lock(&client->mutex);
    client->wishes = (client->wishes & ~others) | what;
    client_wake(client);
    pthread_mutex_unlock(&client->mutex);
}

static void wish(struct relay_client *client, enum client_wish what)
{
    wish_instead(client, what, 0);
}

int relay_client_set_token(struct relay_client *client, const char *token)
{
    if (token != NULL && token[0] != '\0' && !credential_is_valid(token)) {
        return -EINVAL;
    }
    int failed = locked_text_replace(client, &client->token, token);

    if (failed == 0) {
        wish(client, CLIENT_WISH_TOKEN);
    }
    return failed;
}

int relay_client_set_token_file(struct relay_client *client, const char *path)
{
    int failed = locked_text_replace(client, &client->token_file, path);

    if (failed == 0) {
        wish(client, CLIENT_WISH_TOKEN);
    }
    return failed;
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

/* Queues the message, keeps it for a viewer, or frees it. */
static int push(struct relay_client *client, struct ring_message *message)
{
    uint64_t now_ns = clock_monotonic_ns();

    pthread_mutex_lock(&client->mutex);
    int failed = admission(client, message->len);

    if (failed != 0) {
        ring_message_destroy(message);
    } else {
        message->sent_ns = now_ns;
        message->preamble = preamble_ref(client->preamble);
        if (!message->on_demand || hold_pass(&client->hold, message, now_ns)) {
            failed = client_queue(client, message, now_ns);
        } else if (hold_asks_again(&client->hold, now_ns)) {
            client->keyframe_wanted = true;
            client_wake(client);
        }
    }
    pthread_mutex_unlock(&client->mutex);
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
    hold_flush(&client->hold);
    if (client->ring.awaits_random_access) {
        client->keyframe_wanted = true;
        client_wake(client);
    }
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->mutex);
}

void relay_client_drop_held(struct relay_client *client)
{
    pthread_mutex_lock(&client->mutex);
    if (client->hold.count > 0) {
        hold_flush(&client->hold);
        client->keyframe_wanted = true;
        client_wake(client);
    }
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
    bool drained; /* otherwise: room for len, or: */
    bool receives;
    size_t len;
    bool while_connected;
    struct inbox_message *message; /* received; the wish has it then */
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

/* True: the wish has its message. Those received before the end are still handed out. */
static bool wish_receives(struct relay_client *client, struct wish *wish)
{
    if (wish->receives) {
        wish->message = inbox_take(&client->inbox, clock_monotonic_ns());
    }
    return wish->message != NULL;
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

static int wait_for(struct relay_client *client, struct wish *wish, uint32_t timeout_ms)
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
        if (wish_receives(client, wish)) {
            failed = 0;
            break;
        }
        if (!is_running(client)) {
            failed = -ESHUTDOWN;
            break;
        }
        if (!wish->receives && wish_is_true(client, wish)) {
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

int relay_client_receive(struct relay_client *client, uint32_t timeout_ms,
                         struct relay_client_message **ret_message)
{
    struct wish wish = {.receives = true};

    CHECK(client->settings.inbox.bytes_max > 0);
    int failed = wait_for(client, &wish, timeout_ms);

    if (failed == 0) {
        *ret_message = &wish.message->message;
    }
    return failed;
}

void relay_client_message_destroy(struct relay_client_message *message)
{
    if (message != NULL) {
        inbox_message_destroy(container_of(message, struct inbox_message, message));
    }
}

/* Over relay.v1. */

/* The client's thread takes it with its next message: a viewer's come often. */
void relay_client_report(struct relay_client *client, const struct relay_client_report *report)
{
    pthread_mutex_lock(&client->mutex);
    client->report = *report;
    client->wishes |= CLIENT_WISH_REPORT;
    pthread_mutex_unlock(&client->mutex);
}

void relay_client_request_keyframe(struct relay_client *client)
{
    wish(client, CLIENT_WISH_KEYFRAME);
}

void relay_client_request_lease(struct relay_client *client)
{
    wish_instead(client, CLIENT_WISH_LEASE, CLIENT_WISH_GIVE_LEASE);
}

void relay_client_give_lease(struct relay_client *client)
{
    wish_instead(client, CLIENT_WISH_GIVE_LEASE, CLIENT_WISH_LEASE);
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

static void hold_statistics(const struct hold *hold, struct relay_client_statistics *statistics)
{
    statistics->drops_unwatched = hold->dropped_messages;
    statistics->messages_dropped += hold->dropped_messages;
    statistics->bytes_dropped += hold->dropped_bytes;
    statistics->held_messages = hold->count;
    statistics->held_bytes = hold->bytes;
}

static void inbox_statistics(const struct inbox *inbox, uint64_t now_ns,
                             struct relay_client_statistics *statistics)
{
    statistics->receive_drops_overflow = inbox->dropped_messages[INBOX_OVERFLOW];
    statistics->receive_drops_age = inbox->dropped_messages[INBOX_AGE];
    statistics->receive_bytes_dropped = inbox->dropped_bytes;
    statistics->receive_queue_messages = inbox->count;
    statistics->receive_queue_bytes = inbox->bytes;
    statistics->receive_queue_age_ns = inbox_age_ns(inbox, now_ns);
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
    hold_statistics(&client->hold, ret_statistics);
    for (unsigned hop = 0; hop < RELAY_CLIENT_HOPS; hop++) {
        hop_latency_read(&client->latency, (enum relay_client_hop)hop, &ret_statistics->hops[hop]);
    }
    inbox_statistics(&client->inbox, now_ns, ret_statistics);
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

const char *relay_client_renewal_fault(enum relay_client_renewal renewal)
{
    switch (renewal) {
    case RELAY_CLIENT_RENEWAL_NONE:
    case RELAY_CLIENT_RENEWAL_DONE:
    case RELAY_CLIENT_RENEWAL_TOO_OFTEN:
        return NULL;
    case RELAY_CLIENT_RENEWAL_INVALID:
        return "it is invalid or has expired";
    case RELAY_CLIENT_RENEWAL_OTHER:
        return "it is for another booking, topic or other scopes";
    case RELAY_CLIENT_RENEWAL_DENIED:
        return "the booking was cancelled";
    }
    return "for an unknown reason";
}
