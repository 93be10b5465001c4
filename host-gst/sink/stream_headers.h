/* The stream headers of a container (GStreamer's "streamheader" in caps: WebM, FLV, Ogg, fragmented
 * MP4), without which nothing after them can be decoded. Muxers also push them as buffers flagged
 * HEADER, some before the caps name them. The client sends those of the caps first on each
 * connection, so buffers that repeat them are dropped. Streaming thread only. */
#pragma once

#include <gst/gst.h>
#include <stdbool.h>

struct stream_headers {
    GByteArray *bytes;   /* headers of the caps, concatenated */
    GArray *lens;        /* size of each, gsize */
    bool begun;          /* a buffer that is not a header has come */
    GPtrArray *withheld; /* buffers that may be headers whose caps have not come yet */
};

void stream_headers_init(struct stream_headers *headers);
void stream_headers_deinit(struct stream_headers *headers);

/* Resets everything for a new stream. */
void stream_headers_reset(struct stream_headers *headers);

/* Takes ownership of the headers of the caps; NULL or empty: none. */
void stream_headers_set_caps(struct stream_headers *headers, const GstCaps *caps);
bool stream_headers_any(const struct stream_headers *headers);

/* True: do not send the buffer. It is or may be one of the headers, and is withheld until the next
 * other buffer. */
bool stream_headers_take(struct stream_headers *headers, GstBuffer *buffer);

/* Withheld buffers that are not headers of the caps, in order; the caller unrefs them. Call before
 * anything else is sent. NULL: none. */
GstBuffer *stream_headers_next_withheld(struct stream_headers *headers);

/* Discards the withheld buffers, as after a seek. */
void stream_headers_flush(struct stream_headers *headers);

/* The list without the headers of the caps: itself, or a new one. Takes ownership of the
 * reference. */
GstBufferList *stream_headers_filter(struct stream_headers *headers, GstBufferList *list);
