/* What a transport stream carries, from its tables (ISO/IEC 13818-1 §2.4.4), and where viewers can
 * start: by the random_access_indicator, and by the pictures themselves. Pure: no I/O, no clock, no
 * allocation. One program, one thread at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wire/mpegts.h"
#include "wire/video_probe.h"

enum { MPEGTS_SECTION_SIZE = 1024 }; /* §2.4.4.3, §2.4.4.8 */

/* A table being put together from packets. */
struct mpegts_section {
    uint8_t data[MPEGTS_SECTION_SIZE];
    size_t len;
    bool open; /* false: its beginning was not seen */
};

enum mpegts_video {
    MPEGTS_VIDEO_UNKNOWN, /* no tables yet, or of more than one program */
    MPEGTS_VIDEO_NONE,
    MPEGTS_VIDEO_PRESENT,
};

struct mpegts_program {
    struct mpegts_section association, map; /* PAT, PMT */
    uint16_t map_pid;                       /* MPEGTS_PID_NULL: not known */
    enum mpegts_video video;
    bool video_seen;    /* a picture has come, whatever the tables say */
    uint16_t video_pid; /* MPEGTS_PID_NULL: not known */
    enum video_codec codec;

    struct video_probe probe; /* of the present picture */
    size_t header_left;       /* bytes of its PES header still to come */
};

/* Of the packets that were taken with it. */
struct mpegts_findings {
    bool marked;             /* a picture has the random_access_indicator */
    bool key;                /* a picture is a key picture */
    bool without_parameters; /* and what decoders need does not come with it */
};

void mpegts_program_init(struct mpegts_program *program);

/* The next packet of the stream. Adds to the findings. */
void mpegts_program_take(struct mpegts_program *program, const struct mpegts_packet *packet,
                         struct mpegts_findings *findings);
