/* Finds out what a transport stream carries, from its tables (ISO/IEC 13818-1 §2.4.4), and where
 * viewers can start, from the random_access_indicator and the pictures themselves. Pure: no I/O, no
 * clock, no allocation. One program, one thread at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wire/media/mpegts.h"
#include "wire/media/video_probe.h"

enum mpegts_program_limits {
    MPEGTS_SECTION_SIZE = 1024,                           /* §2.4.4.3, §2.4.4.8 */
    MPEGTS_TABLE_SIZE = 3 * (MPEGTS_PACKET_SIZE - 4) - 1, /* of three packets, after a pointer */
};

/* A table being assembled from packets. */
struct mpegts_section {
    uint8_t data[MPEGTS_SECTION_SIZE];
    size_t len;
    bool open; /* false: its start was not seen */
};

/* The last valid section of a table, whole. */
struct mpegts_table {
    uint8_t data[MPEGTS_TABLE_SIZE];
    uint16_t len; /* 0: none has come, or it is longer than this */
};

enum mpegts_video {
    MPEGTS_VIDEO_UNKNOWN, /* no tables yet, or of more than one program */
    MPEGTS_VIDEO_NONE,
    MPEGTS_VIDEO_PRESENT,
};

struct mpegts_program {
    struct mpegts_section association, map; /* PAT, PMT */
    struct mpegts_table association_table, map_table;
    unsigned changes; /* of the two tables */
    uint16_t map_pid; /* MPEGTS_PID_NULL: not known */
    enum mpegts_video video;
    bool video_seen;    /* a picture has come, whether or not the tables list it */
    uint16_t video_pid; /* MPEGTS_PID_NULL: not known */
    enum video_codec codec;

    struct video_probe probe; /* of the current picture */
    size_t header_left;       /* bytes of its PES header still to come */
};

/* Findings of the packets fed so far. */
struct mpegts_findings {
    bool marked;             /* a picture has the random_access_indicator */
    bool key;                /* a picture is a key picture */
    bool without_parameters; /* a key picture lacks the parameters that decoders need */
};

void mpegts_program_init(struct mpegts_program *program);

/* Feeds the next packet of the stream and adds to the findings. */
void mpegts_program_take(struct mpegts_program *program, const struct mpegts_packet *packet,
                         struct mpegts_findings *findings);
