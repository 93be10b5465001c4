/* Decides what of a topic's messages a file takes, so that it plays: a transport stream from a key
 * picture on, with a splice where messages are missing, or JPEG pictures one after the other. Other
 * messages are left out. One thread at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "cli/record/segment.h"
#include "wire/media/stream_probe.h"

enum recording_state {
    RECORDING_WAITING, /* for a key picture */
    RECORDING_STARTED, /* with one: leading pictures of it may come */
    RECORDING_LIVE,
};

struct recording {
    const char *pattern; /* of segment_open; borrowed */
    uint64_t segment_ms; /* 0: one file */

    struct segment segment;
    uint64_t opened_at_ms;
    bool of_stream; /* the open file is a transport stream, not JPEG */
    enum recording_state state;
    bool leaves_out; /* leading pictures, since the last message written */
    uint64_t files;  /* that have their name */
    struct stream_probe probe;
};

void recording_init(struct recording *recording, const char *pattern, uint64_t segment_ms);

/* Takes the next binary message; now_ms is monotonic time. 0 or -errno of the file: the message is
 * lost, and recording goes on with the next key picture. */
MUST_USE int recording_take(struct recording *recording, struct bytes message, uint64_t now_ms);

/* Messages are missing here, as when the connection was lost. */
void recording_gap(struct recording *recording);

/* Closes the file; the next key picture begins a new one. 0 or -errno. */
MUST_USE int recording_close_file(struct recording *recording);
