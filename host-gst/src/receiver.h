/* Makes buffers of the messages that the link of relaysrc receives: one of each, from a picture on
 * that decoding can start with. Owned by the element.
 *
 * Threads: receiver_open and receiver_next on the streaming thread; the others on any. */
#pragma once

#include <gst/gst.h>
#include <stdbool.h>

#include "host-gst/link/link.h"
#include "host-gst/src/entry_gate.h"
#include "host-gst/src/src_settings.h"

struct receiver_figures {
    guint64 gaps;                            /* discontinuities passed on */
    guint64 skipped_messages, skipped_bytes; /* before a keyframe */
    guint64 messages;                        /* passed on */
    GstClockTime age_last, age_sum, age_max; /* from the network to the pipeline */
};

struct receiver {
    struct link *link; /* of the owner; open while messages are wanted */
    gint recovers;     /* atomic: enum src_recover */
    gint drops_old;    /* atomic: the pipeline is to keep up */

    /* Streaming thread. */
    bool gap;      /* the next buffer is discontinuous */
    bool new_kind; /* and of another kind than those before */
    struct entry_gate gate;
    uint64_t reported_ms; /* 0: never */

    GMutex lock; /* guards the rest */
    struct receiver_figures figures;
};

void receiver_init(struct receiver *receiver, struct link *link);
void receiver_deinit(struct receiver *receiver);

/* A new stream, of this kind; STREAM_UNKNOWN: the messages show it. */
void receiver_open(struct receiver *receiver, enum stream_kind kind);

/* Waits for the next buffer, which is the caller's then. GST_FLOW_FLUSHING: waits are cancelled;
 * GST_FLOW_EOS, GST_FLOW_ERROR: the link has ended. ret_new_kind: the stream shows itself to be of
 * the gate's kind from this buffer on. */
GstFlowReturn receiver_next(struct receiver *receiver, GstBuffer **ret_buffer, bool *ret_new_kind);

/* Takes effect at once. */
void receiver_apply(struct receiver *receiver, const struct src_settings *settings);

void receiver_figures(struct receiver *receiver, struct receiver_figures *ret_figures);
