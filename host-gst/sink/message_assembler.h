/* Turns the buffers that reach the sink into messages: one per video frame of a transport stream,
 * whether it comes in lists, split lists or a pipe's blocks; otherwise one per buffer or list.
 * Owned by the element. The streaming thread pushes; a flusher thread ends a frame whose end the
 * stream does not mark, a few milliseconds after its last byte. Both hold the lock while they call
 * send. */
#pragma once

#include <gst/gst.h>
#include <stdbool.h>

#include "client/relay_client.h"
#include "host-gst/link/stream_kind.h"
#include "host-gst/sink/sink_settings.h"
#include "host-gst/sink/stream_notice.h"
#include "wire/media/mpegts_framer.h"
#include "wire/media/mpegts_program.h"

struct outgoing {
    const struct relay_client_slice *slices; /* borrowed until send returns */
    size_t slices_count;
    size_t len;
    bool random_access;
};

struct assembler_callbacks {
    /* may_wait: on the streaming thread. */
    GstFlowReturn (*send)(const struct outgoing *message, bool may_wait, void *context);
    /* False while the flusher must not send, as that could wait. */
    bool (*may_flush)(void *context);
    /* Called once per stream for each notice. */
    void (*on_notice)(enum stream_notice notice, void *context);
    void *context;
};

struct message_assembler {
    struct assembler_callbacks callbacks;
    GMutex lock; /* guards everything below */
    enum sink_framing framing;
    enum stream_kind kind;
    bool has_deltas;         /* buffers flagged DELTA_UNIT depend on earlier ones */
    bool begun;              /* the first bytes have been inspected */
    unsigned noticed;        /* a bit for each enum stream_notice already posted */
    bool lists_are_frames;   /* true until a list begins inside a frame */
    bool random_access_seen; /* the stream marks its random-access points */
    gint64 marked_us;        /* time of the last one, or of the first message; 0: none yet */
    GArray *maps;            /* of GstMapInfo, parallel to slices */
    GArray *slices;          /* of struct relay_client_slice */

    struct mpegts_program program;    /* of a transport stream */
    unsigned keys_without_parameters; /* in a row */
    struct mpegts_framer framer;
    uint8_t *framer_buf; /* NULL until a stream needs it */
    enum mpegts_pending pending;
    gint64 deadline_us; /* when the flusher ends the pending message; 0: never */
    bool overdue;       /* packets held between frames are to be sent with the next buffer */

    GThread *flusher; /* NULL: not running */
    GCond wake;
    bool quit;
};

void assembler_init(struct message_assembler *assembler,
                    const struct assembler_callbacks *callbacks);
void assembler_deinit(struct message_assembler *assembler);

/* A new stream. False: no thread. Stop joins the flusher; nothing is sent after it. */
bool assembler_start(struct message_assembler *assembler, enum sink_framing framing);
void assembler_stop(struct message_assembler *assembler);

/* Streaming thread only. A change of kind discards the held packets. has_deltas: buffers other than
 * MPEG-TS are random accesses only without the flag DELTA_UNIT. */
void assembler_set_kind(struct message_assembler *assembler, enum stream_kind kind,
                        bool has_deltas);

/* Inside send: true when no message depends on earlier ones. */
bool assembler_is_independent(const struct message_assembler *assembler);

/* Streaming thread only. Returns the first result of send that is not GST_FLOW_OK; the rest of the
 * buffer is not sent then. */
GstFlowReturn assembler_push_buffer(struct message_assembler *assembler, GstBuffer *buffer);
GstFlowReturn assembler_push_list(struct message_assembler *assembler, GstBufferList *list);

/* Sends the held packets at the end of the stream. */
GstFlowReturn assembler_finish(struct message_assembler *assembler);

/* Discards the held packets, as after a seek. */
void assembler_reset(struct message_assembler *assembler);
