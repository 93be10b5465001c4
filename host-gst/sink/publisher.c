#include "host-gst/sink/publisher.h"

#include <errno.h>

#include "base/awake_clock.h"
#include "base/clock.h"

GST_DEBUG_CATEGORY_EXTERN(relay_sink_debug);
#define GST_CAT_DEFAULT relay_sink_debug

enum {
    ROOM_WAIT_MS = 10, /* after this, the flags of the base class are checked again */
    CANCELLED_WAIT_US = 500,
};

void publisher_init(struct publisher *publisher, GstBaseSink *sink, struct link *link)
{
    *publisher = (struct publisher){.sink = sink, .link = link};
}

/* Called before the client runs, or with the lock. */
static void waits_set(struct publisher *publisher, const struct sink_drop_limits *limits)
{
    g_atomic_int_set(&publisher->waits, limits->waits);
    g_atomic_int_set(&publisher->waits_for_connection, limits->waits_for_connection);
    g_atomic_int_set(&publisher->link->needs_relay_v1, limits->on_demand);
}

bool publisher_open(struct publisher *publisher, const struct sink_settings *settings,
                    const struct sink_drop_limits *limits, char error[RELAY_CLIENT_ERROR_SIZE])
{
    struct relay_client_options options;

    sink_settings_to_options(settings, &options);
    options.drop = limits->drop;
    options.queue_bytes_max = limits->bytes_max;
    options.queue_age_max_ms = limits->age_max_ms;
    options.queue_while_disconnected = limits->waits;
    waits_set(publisher, limits);
    publisher->message_type = (enum sink_message_type)settings->message_type;
    g_atomic_int_set(&publisher->oversize_warned, FALSE);
    if (!link_open(publisher->link, &settings->link, &options, error)) {
        return false;
    }
    g_mutex_lock(&publisher->link->lock);
    publisher->lost_messages = 0;
    publisher->lost_bytes = 0;
    g_mutex_unlock(&publisher->link->lock);
    return true;
}

/* Sending. */

static enum relay_client_type message_type_of(const struct publisher *publisher,
                                              enum stream_kind kind)
{
    bool text = publisher->message_type == SINK_MESSAGE_TEXT ||
                (publisher->message_type == SINK_MESSAGE_AUTO && kind == STREAM_TEXT);

    return text ? RELAY_CLIENT_TEXT : RELAY_CLIENT_BINARY;
}

/* Text that is not UTF-8 is sent as binary: otherwise receivers would have to fail their
 * connections. */
static int message_send(const struct publisher *publisher, const struct outgoing *message,
                        enum relay_client_type type)
{
    unsigned flags =
        (message->random_access ? RELAY_CLIENT_RANDOM_ACCESS : 0u) |
        (g_atomic_int_get(&publisher->link->needs_relay_v1) ? RELAY_CLIENT_ON_DEMAND : 0u);
    int result = relay_client_send_slices(publisher->link->client, type, message->slices,
                                          message->slices_count, flags);

    if (result == -EILSEQ) {
        result = relay_client_send_slices(publisher->link->client, RELAY_CLIENT_BINARY,
                                          message->slices, message->slices_count, flags);
    }
    return result;
}

struct wait {
    /* Waits at most ROOM_WAIT_MS: after -ETIMEDOUT or -ECANCELED, call it again. */
    int (*step)(struct publisher *publisher, struct wait *wait);
    size_t len;            /* of the room */
    guint timeout_ms;      /* at the end of the stream: without progress; else 0 */
    guint64 progressed_ms; /* when there was some, by the clock */
    struct awake_clock clock;
    guint64 unsent_bytes; /* the fewest so far */
    bool gave_up;
};

/* The preroll lock is released while waiting: a change to PLAYING takes it without asking render to
 * stop. The flags of the base class tell what happened meanwhile. */
static GstFlowReturn wait_unlocked(struct publisher *publisher, struct wait *wait)
{
    GstBaseSink *sink = publisher->sink;
    int result = -ETIMEDOUT;

    for (;;) {
        if (sink->flushing) {
            return GST_FLOW_FLUSHING;
        }
        if (sink->need_preroll) {
            /* wait_preroll alone is not enough: a change to PLAYING while we did not hold the lock
             * asks for a new preroll, and only do_preroll ends that. */
            GstFlowReturn flow = gst_base_sink_do_preroll(sink, NULL);

            if (flow != GST_FLOW_OK) {
                return flow;
            }
            continue;
        }
        if (result != -ETIMEDOUT && result != -ECANCELED) {
            return GST_FLOW_OK;
        }
        GST_BASE_SINK_PREROLL_UNLOCK(sink);
        result = wait->step(publisher, wait);
        if (result == -ECANCELED) {
            g_usleep(CANCELLED_WAIT_US); /* the canceller waits for the lock */
        }
        GST_BASE_SINK_PREROLL_LOCK(sink);
    }
}

static void unsent_warn(struct publisher *publisher, guint64 messages, guint64 bytes,
                        guint timeout_ms)
{
    GST_ELEMENT_WARNING(publisher->sink, RESOURCE, WRITE,
                        ("the stream ends with %" G_GUINT64_FORMAT " messages (%" G_GUINT64_FORMAT
                         " bytes) unsent: nothing could be sent for %u ms (eos-timeout)",
                         messages, bytes, timeout_ms),
                        (NULL));
}

/* True when the amount unsent reached a new minimum within the last timeout_ms. Bytes in the kernel
 * count as unsent: it takes them in large steps, and a slow link must not be mistaken for a dead
 * one. Resending after a reconnect is not progress, or a relay that drops each connection would be
 * waited for indefinitely. */
static bool is_moving(struct publisher *publisher, struct wait *wait,
                      struct relay_client_statistics *ret_statistics)
{
    guint64 now_ms = awake_clock_advance(&wait->clock, clock_monotonic_ms(), ROOM_WAIT_MS);

    relay_client_statistics(publisher->link->client, ret_statistics);
    guint64 unsent_bytes = ret_statistics->queue_bytes + ret_statistics->kernel_unsent_bytes;

    if (unsent_bytes < wait->unsent_bytes) {
        wait->unsent_bytes = unsent_bytes;
        wait->progressed_ms = now_ms;
    }
    return now_ms - wait->progressed_ms < wait->timeout_ms;
}

/* 0: there is room, a new setting, or an end that sending will report; -ETIME: the stream ends
 * without room. */
static int room_step(struct publisher *publisher, struct wait *wait)
{
    struct relay_client_statistics statistics;

    if (!g_atomic_int_get(&publisher->waits)) {
        return 0;
    }
    int result =
        relay_client_wait_room(publisher->link->client, wait->len,
                               g_atomic_int_get(&publisher->waits_for_connection), ROOM_WAIT_MS);

    if (result == -ETIMEDOUT && wait->timeout_ms > 0 && !is_moving(publisher, wait, &statistics)) {
        unsent_warn(publisher, statistics.queue_messages + 1, statistics.queue_bytes + wait->len,
                    wait->timeout_ms);
        wait->gave_up = true;
        return -ETIME;
    }
    return result;
}

static struct wait wait_of(int (*step)(struct publisher *, struct wait *), guint timeout_ms)
{
    struct wait wait = {.step = step, .timeout_ms = timeout_ms, .unsent_bytes = G_MAXUINT64};

    awake_clock_init(&wait.clock, clock_monotonic_ms());
    wait.progressed_ms = wait.clock.now_ms;
    return wait;
}

/* 0: everything is sent, or nothing more will be. */
static int drain_step(struct publisher *publisher, struct wait *wait)
{
    int result = relay_client_drain(publisher->link->client, ROOM_WAIT_MS);
    struct relay_client_statistics statistics;

    if (result != -ETIMEDOUT || is_moving(publisher, wait, &statistics)) {
        return result;
    }
    unsent_warn(publisher, statistics.queue_messages, statistics.queue_bytes, wait->timeout_ms);
    return 0;
}

static void oversize_warn(struct publisher *publisher, size_t len)
{
    if (g_atomic_int_compare_and_exchange(&publisher->oversize_warned, FALSE, TRUE)) {
        GST_ELEMENT_WARNING(
            publisher->sink, STREAM, FORMAT,
            ("a message of %" G_GSIZE_FORMAT " bytes is too large and was dropped", len),
            ("further ones are dropped silently"));
    }
}

static void loss_count(struct publisher *publisher, size_t len)
{
    g_mutex_lock(&publisher->link->lock);
    publisher->lost_messages++;
    publisher->lost_bytes += len;
    g_mutex_unlock(&publisher->link->lock);
}

static GstFlowReturn result_judge(struct publisher *publisher, size_t len, int result)
{
    if (result == 0 || result == -EAGAIN) {
        return GST_FLOW_OK; /* sent, or dropped and counted by the client */
    }
    loss_count(publisher, len);
    if (result == -EMSGSIZE) {
        oversize_warn(publisher, len);
    }
    return result == -ESHUTDOWN && g_atomic_int_get(&publisher->link->end) != LINK_END_NONE
               ? GST_FLOW_ERROR
               : GST_FLOW_OK;
}

GstFlowReturn publisher_send(struct publisher *publisher, const struct outgoing *message,
                             enum stream_kind kind, bool may_wait)
{
    enum relay_client_type type = message_type_of(publisher, kind);
    struct wait wait = wait_of(room_step, publisher->end_timeout_ms);
    int result;

    wait.len = message->len;
    do {
        if (may_wait && g_atomic_int_get(&publisher->waits)) {
            GstFlowReturn flow = wait_unlocked(publisher, &wait);

            if (flow != GST_FLOW_OK) {
                return flow;
            }
        }
        if (wait.gave_up) {
            loss_count(publisher, message->len);
            return GST_FLOW_OK;
        }
        result = message_send(publisher, message, type);
        /* There was room, but the connection ended or the settings changed in the meantime. */
    } while (result == -EAGAIN && may_wait && g_atomic_int_get(&publisher->waits));
    return result_judge(publisher, message->len, result);
}

bool publisher_set_headers(struct publisher *publisher, const struct stream_headers *headers)
{
    GArray *slices = g_array_new(FALSE, FALSE, sizeof(struct relay_client_slice));
    const guint8 *data = headers->bytes->data;
    int result;

    for (guint i = 0; i < headers->lens->len; i++) {
        struct relay_client_slice slice = {data, g_array_index(headers->lens, gsize, i)};

        g_array_append_val(slices, slice);
        data += slice.len;
    }
    result = relay_client_set_preamble(
        publisher->link->client, (const struct relay_client_slice *)(const void *)slices->data,
        slices->len);
    g_array_unref(slices);
    if (result != 0) {
        (void)relay_client_set_preamble(publisher->link->client, NULL, 0); /* better none than
                                                                            * outdated ones */
    }
    return result == 0;
}

void publisher_end(struct publisher *publisher, guint timeout_ms)
{
    publisher->end_timeout_ms = timeout_ms;
}

GstFlowReturn publisher_drain(struct publisher *publisher, guint timeout_ms)
{
    struct wait wait = wait_of(drain_step, timeout_ms);

    if (timeout_ms > 0 && g_atomic_int_get(&publisher->waits)) {
        return wait_unlocked(publisher, &wait);
    }
    if (timeout_ms > 0 && relay_client_drain(publisher->link->client, timeout_ms) != 0) {
        GST_INFO_OBJECT(publisher->sink, "the stream ends before everything was sent");
    }
    return GST_FLOW_OK;
}

/* From any thread. */

void publisher_flush(struct publisher *publisher)
{
    g_mutex_lock(&publisher->link->lock);
    if (publisher->link->client != NULL) {
        relay_client_flush(publisher->link->client);
    }
    g_mutex_unlock(&publisher->link->lock);
}

void publisher_set_limits(struct publisher *publisher, const struct sink_drop_limits *limits)
{
    g_mutex_lock(&publisher->link->lock);
    if (publisher->link->client != NULL) {
        bool was_on_demand = g_atomic_int_get(&publisher->link->needs_relay_v1);

        waits_set(publisher, limits);
        relay_client_set_queue(publisher->link->client, limits->drop, limits->bytes_max,
                               limits->age_max_ms, limits->waits);
        if (was_on_demand && !limits->on_demand) {
            relay_client_drop_held(publisher->link->client);
        }
    }
    g_mutex_unlock(&publisher->link->lock);
}

void publisher_statistics(struct publisher *publisher,
                          struct relay_client_statistics *ret_statistics)
{
    link_statistics(publisher->link, ret_statistics);
    g_mutex_lock(&publisher->link->lock);
    ret_statistics->messages_dropped += publisher->lost_messages;
    ret_statistics->bytes_dropped += publisher->lost_bytes;
    g_mutex_unlock(&publisher->link->lock);
}
