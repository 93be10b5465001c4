/* The stream headers of a container (GStreamer's "streamheader" in caps: WebM, FLV, Ogg, fragmented
 * MP4), without which nothing after them can be decoded. A muxer pushes them as buffers, too,
 * flagged HEADER, some before the caps name them. The client sends those of the caps first on each
 * connection, so the buffers that repeat them are left out. Streaming thread only. */
#pragma once

#include <gst/gst.h>
#include <stdbool.h>

struct stream_headers {
    GByteArray *bytes;   /* those of the caps, one behind the other */
    GArray *lens;        /* of each, gsize */
    bool begun;          /* a buffer that is no header has come */
    GPtrArray *withheld; /* buffers that may be headers whose caps are still to come */
};

void stream_headers_init(struct stream_headers *headers);
void stream_headers_deinit(struct stream_headers *headers);

/* As for a new stream. */
void stream_headers_reset(struct stream_headers *headers);

/* Takes over the headers of the caps; NULL, or without any: none. */
void stream_headers_set_caps(struct stream_headers *headers, const GstCaps *caps);
bool stream_headers_any(const struct stream_headers *headers);

/* True: the buffer is not to be sent: it is one of the headers, or may be, and is withheld until
 * the next other buffer. */
bool stream_headers_take(struct stream_headers *headers, GstBuffer *buffer);

/* What was withheld and is no header of the caps, in order; the caller's to unref. Call before
 * anything else is sent. NULL: nothing. */
GstBuffer *stream_headers_next_withheld(struct stream_headers *headers);

/* Forgets what is withheld, as after a seek. */
void stream_headers_flush(struct stream_headers *headers);

/* The list without the headers of the caps: itself, or a new one. Takes over the reference. */
GstBufferList *stream_headers_filter(struct stream_headers *headers, GstBufferList *list);
