/* The element's side of the connection: makes and ends the client, hands it the messages, waits for
 * room if the user asked for that, and posts what happens on the bus. Owned by the element.
 *
 * Threads: open and close (state changes) while only the functions that take the lock may run;
 * publisher_send on the streaming thread or the assembler's flusher; the others on any thread. */
#pragma once

#include <gst/base/gstbasesink.h>
#include <stdbool.h>

#include "base/attributes.h"
#include "client/relay_client.h"
#include "host-gst/connection_notices.h"
#include "host-gst/message_assembler.h"
#include "host-gst/sink_settings.h"
#include "host-gst/stream_headers.h"

struct publisher {
    GstBaseSink *sink;          /* the owner */
    GParamSpec *state_property; /* notified when the state changes */

    GMutex lock;                 /* guards the next four against the application's threads */
    struct relay_client *client; /* only open and close change it, so publisher_send and the
                                    streaming thread read it without the lock */
    struct relay_client_statistics last_statistics; /* of the previous client */
    guint64 lost_messages, lost_bytes;              /* not counted by the client */

    /* Set by open. */
    enum sink_message_type message_type;

    gint waits;                /* atomic: sending waits for room */
    gint waits_for_connection; /* atomic: and waits for the connection */
    guint end_timeout_ms;      /* streaming thread: see publisher_end */

    struct connection_notices notices; /* client's thread only */

    gint state;           /* atomic; enum relay_client_state */
    gint keyframe_wanted; /* atomic: the encoder should make a random-access point */
    gint gave_up;         /* atomic: the error has been posted */
    gint oversize_warned; /* atomic */
};

void publisher_init(struct publisher *publisher, GstBaseSink *sink, GParamSpec *state_property);
void publisher_deinit(struct publisher *publisher);

/* Creates the client and starts it, in well under 1 ms. False: error holds one line. settings are
 * read until it returns. */
MUST_USE bool publisher_open(struct publisher *publisher, const struct sink_settings *settings,
                             char error[RELAY_CLIENT_ERROR_SIZE]);

/* Ends the connection within 50 ms. Harmless when not open. */
void publisher_close(struct publisher *publisher);

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
void publisher_cancel_waits(struct publisher *publisher, bool cancelled);

/* Takes effect with the next pause, attempt or connection. */
void publisher_set_timing(struct publisher *publisher, const struct sink_settings *settings);

/* Takes effect at once. images: see sink_settings_queue. */
void publisher_set_queue(struct publisher *publisher, const struct sink_settings *settings,
                         bool images);

/* Takes effect with the next access request. */
void publisher_set_token(struct publisher *publisher, const char *token);
void publisher_set_token_file(struct publisher *publisher, const char *path);

void publisher_statistics(struct publisher *publisher,
                          struct relay_client_statistics *ret_statistics);
