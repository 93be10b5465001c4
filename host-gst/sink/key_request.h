/* Asks the encoder for key pictures, whether buffers flow or not: at once, and one that comes too
 * early when its time has come. The event goes upstream from a thread of GStreamer's own, without
 * locks: a part of the pipeline that takes long for it holds up neither the connection nor the
 * stream. Owned by the element. Any thread. */
#pragma once

#include <gst/gst.h>
#include <stdbool.h>
#include <stdint.h>

enum key_request_times { KEY_REQUEST_INTERVAL_MS = 500 };

struct key_request {
    GstElement *element; /* the owner */
    GstPad *pad;         /* of the owner, towards the encoder */
    GMutex lock;
    bool open;
    bool pending;      /* one will be made, by the clock or by the thread that is on its way */
    uint64_t asked_ms; /* 0: never */
    guint64 count;     /* since it was opened */
    GstClockID wait;   /* or NULL */
};

void key_request_init(struct key_request *request, GstElement *element, GstPad *pad);
void key_request_deinit(struct key_request *request);

/* Between them requests are made, else ignored. */
void key_request_open(struct key_request *request);
void key_request_close(struct key_request *request);

/* Requests that wait become one. */
void key_request_make(struct key_request *request);

guint64 key_request_count(struct key_request *request);
