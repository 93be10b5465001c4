#include "host-gst/src/receiver.h"

#include <errno.h>

#include "base/clock.h"

enum {
    WAIT_MS = 1000,
    REPORT_MS = 500,
    END_WAIT_US = 500, /* the client has ended: its thread is about to post why */
};

void receiver_init(struct receiver *receiver, struct link *link)
{
    *receiver = (struct receiver){.link = link};
    g_mutex_init(&receiver->lock);
    entry_gate_begin(&receiver->gate, STREAM_UNKNOWN, 0);
}

void receiver_deinit(struct receiver *receiver)
{
    g_mutex_clear(&receiver->lock);
}

void receiver_open(struct receiver *receiver, enum stream_kind kind)
{
    receiver->gap = false;
    receiver->new_kind = false;
    receiver->reported_ms = 0;
    entry_gate_begin(&receiver->gate, kind, clock_monotonic_ms());
    g_mutex_lock(&receiver->lock);
    receiver->figures = (struct receiver_figures){.messages = 0};
    g_mutex_unlock(&receiver->lock);
}

static void message_free(gpointer message)
{
    relay_client_message_destroy(message);
}

/* Owns the message from now on. */
static GstBuffer *buffer_of(struct receiver *receiver, struct relay_client_message *message,
                            struct bytes rest)
{
    const struct entry_gate *gate = &receiver->gate;
    GstBuffer *buffer;

    if (gate->head_len == 0) {
        return gst_buffer_new_wrapped_full((GstMemoryFlags)0, message->data, message->len, 0,
                                           message->len, message, message_free);
    }
    buffer = gst_buffer_new_allocate(NULL, gate->head_len + rest.len, NULL);
    gst_buffer_fill(buffer, 0, gate->head, gate->head_len);
    gst_buffer_fill(buffer, gate->head_len, rest.data, rest.len);
    relay_client_message_destroy(message);
    return buffer;
}

static void skip_count(struct receiver *receiver, size_t len)
{
    g_mutex_lock(&receiver->lock);
    receiver->figures.skipped_messages++;
    receiver->figures.skipped_bytes += len;
    g_mutex_unlock(&receiver->lock);
}

static void pass_count(struct receiver *receiver, guint64 received_ns)
{
    struct receiver_figures *figures = &receiver->figures;
    guint64 now_ns = clock_monotonic_ns();

    g_mutex_lock(&receiver->lock);
    figures->messages++;
    figures->gaps += receiver->gap ? 1 : 0;
    figures->age_last = now_ns > received_ns ? now_ns - received_ns : 0;
    figures->age_sum += figures->age_last;
    figures->age_max = MAX(figures->age_max, figures->age_last);
    g_mutex_unlock(&receiver->lock);
}

/* How the pipeline keeps up. Where everything is to arrive, however late, the relay must not send
 * less. */
static void report(struct receiver *receiver, const struct relay_client_stamps *stamps)
{
    bool drops_old = g_atomic_int_get(&receiver->drops_old);
    uint64_t now_ms = clock_monotonic_ms();
    struct relay_client_statistics statistics;

    if (stamps->forwarded_us == 0 || now_ms - receiver->reported_ms < REPORT_MS) {
        return;
    }
    receiver->reported_ms = now_ms;
    relay_client_statistics(receiver->link->client, &statistics);
    const struct relay_client_report report = {
        .stamps = *stamps,
        .used_ns = clock_monotonic_ns(),
        .queued = drops_old ? (uint32_t)statistics.receive_queue_messages : 0,
        .dropped = (uint32_t)(statistics.receive_drops_overflow + statistics.receive_drops_age),
    };

    relay_client_report(receiver->link->client, &report);
}

/* True: what the gate leaves of the message is to be passed on. */
static bool gate_pass(struct receiver *receiver, const struct relay_client_message *message,
                      struct bytes *rest)
{
    struct entry_gate *gate = &receiver->gate;
    enum stream_kind kind = gate->kind;
    uint64_t now_ms = clock_monotonic_ms();
    bool passes;

    gate->recovers = g_atomic_int_get(&receiver->recovers) == SRC_RECOVER_KEYFRAME;
    if (message->gap) {
        receiver->gap = true;
        entry_gate_close(gate, now_ms);
    }
    passes =
        rest->len > 0 && entry_gate_take(gate, rest, message->type == RELAY_CLIENT_TEXT, now_ms);
    if (kind != gate->kind) {
        receiver->new_kind = true;
        receiver->gap = true;
    }
    return passes;
}

/* NULL: nothing of the message is passed on. Owns the message. */
static GstBuffer *message_take(struct receiver *receiver, struct relay_client_message *message)
{
    struct bytes rest = bytes_of(message->data, message->len);
    guint64 received_ns = message->received_ns;
    struct relay_client_stamps stamps = message->stamps;
    GstBuffer *buffer;

    if (!gate_pass(receiver, message, &rest)) {
        skip_count(receiver, message->len);
        relay_client_message_destroy(message);
        return NULL;
    }
    buffer = buffer_of(receiver, message, rest);
    pass_count(receiver, received_ns);
    report(receiver, &stamps);
    if (receiver->gap) {
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
        receiver->gap = false;
    }
    return buffer;
}

static GstFlowReturn end_of(struct receiver *receiver)
{
    switch ((enum link_end)g_atomic_int_get(&receiver->link->end)) {
    case LINK_END_NONE:
        g_usleep(END_WAIT_US);
        return GST_FLOW_OK;
    case LINK_END_FAILED:
        return GST_FLOW_ERROR;
    case LINK_END_CLEAN:
        return GST_FLOW_EOS;
    }
    return GST_FLOW_ERROR;
}

GstFlowReturn receiver_next(struct receiver *receiver, GstBuffer **ret_buffer, bool *ret_new_kind)
{
    struct relay_client_message *message = NULL;
    GstFlowReturn flow = GST_FLOW_OK;
    GstBuffer *buffer = NULL;

    while (flow == GST_FLOW_OK && buffer == NULL) {
        switch (relay_client_receive(receiver->link->client, WAIT_MS, &message)) {
        case 0:
            buffer = message_take(receiver, message);
            break;
        case -ETIMEDOUT:
            break;
        case -ECANCELED:
            flow = GST_FLOW_FLUSHING;
            break;
        default:
            flow = end_of(receiver);
        }
    }
    if (flow == GST_FLOW_OK) {
        *ret_buffer = buffer;
        *ret_new_kind = receiver->new_kind;
        receiver->new_kind = false;
    }
    return flow;
}

void receiver_apply(struct receiver *receiver, const struct src_settings *settings)
{
    struct relay_client_options options;

    src_settings_to_options(settings, &options);
    g_atomic_int_set(&receiver->recovers, settings->recover);
    g_atomic_int_set(&receiver->drops_old, settings->max_age_ns > 0);
    g_mutex_lock(&receiver->link->lock);
    if (receiver->link->client != NULL) {
        relay_client_set_receive_queue(receiver->link->client, options.receive_queue_bytes_max,
                                       options.receive_age_max_ms);
    }
    g_mutex_unlock(&receiver->link->lock);
}

void receiver_figures(struct receiver *receiver, struct receiver_figures *ret_figures)
{
    g_mutex_lock(&receiver->lock);
    *ret_figures = receiver->figures;
    g_mutex_unlock(&receiver->lock);
}
