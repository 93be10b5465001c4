/* Hands the messages of relaysink to the client of its link, and waits for room if the user asked
 * for that. Owned by the element.
 *
 * Threads: publisher_open (state changes) while only the functions that take the link's lock may
 * run; publisher_send on the streaming thread or the assembler's flusher; the others on any
 * thread. */
#pragma once

#include <gst/base/gstbasesink.h>
#include <stdbool.h>

#include "base/attributes.h"
#include "client/relay_client.h"
#include "host-gst/link/link.h"
#include "host-gst/sink/message_assembler.h"
#include "host-gst/sink/sink_drop.h"
#include "host-gst/sink/sink_settings.h"
#include "host-gst/sink/stream_headers.h"

struct publisher {
    GstBaseSink *sink; /* the owner */
    struct link *link; /* of the owner; open while messages come */

    guint64 lost_messages, lost_bytes; /* link's lock; not counted by the client */

    /* Set by open. */
    enum sink_message_type message_type;

    gint waits;                /* atomic: sending waits for room */
    gint waits_for_connection; /* atomic: and waits for the connection */
    guint end_timeout_ms;      /* streaming thread: see publisher_end */
    gint oversize_warned;      /* atomic */
};

void publisher_init(struct publisher *publisher, GstBaseSink *sink, struct link *link);

/* Opens the link. False: error holds one line. settings are read until it returns. */
MUST_USE bool publisher_open(struct publisher *publisher, const struct sink_settings *settings,
                             const struct sink_drop_limits *limits,
                             char error[RELAY_CLIENT_ERROR_SIZE]);

/* Waits only when the settings say so and may_wait is set; the caller then holds the preroll lock,
 * as render does, and it is released while the element is not PLAYING. A dropped message is
 * GST_FLOW_OK. */
GstFlowReturn publisher_send(struct publisher *publisher, const struct outgoing *message,
                             enum stream_kind kind, bool may_wait);

/* Is sent first on each connection, before later messages: see relay_client_set_preamble. False:
 * too large, and none is sent. Streaming thread. */
bool publisher_set_headers(struct publisher *publisher, const struct stream_headers *headers);

/* From now on publisher_send gives up, and counts the message as lost, after waiting timeout_ms
 * without progress; 0: never, until waits are cancelled. Streaming thread. */
void publisher_end(struct publisher *publisher, guint timeout_ms);

/* Waits until everything accepted is sent: timeout_ms at most, or until waits are cancelled. When
 * sending waits for room, timeout_ms limits the time without progress, the preroll lock is released
 * meanwhile, and messages left unsent are reported as a WARNING. The caller holds the preroll lock.
 * Not GST_FLOW_OK: the element stops or flushes. */
GstFlowReturn publisher_drain(struct publisher *publisher, guint timeout_ms);

void publisher_flush(struct publisher *publisher);
/* Takes effect at once. */
void publisher_set_limits(struct publisher *publisher, const struct sink_drop_limits *limits);

/* The figures of the link, and the losses counted here. */
void publisher_statistics(struct publisher *publisher,
                          struct relay_client_statistics *ret_statistics);
