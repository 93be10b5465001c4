/* The streams inside a transport stream, by PID: the continuity counter that each had last (ISO/IEC
 * 13818-1 §2.4.3.3), and whether a PES packet of it is incomplete (§2.4.3.6). Viewers can be cut
 * off cleanly where none is. Pure: no I/O, no allocation. One value, one thread at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wire/media/mpegts.h"

enum mpegts_pids_limits {
    MPEGTS_PIDS_MAX = 16, /* of more, the one seen longest ago is forgotten */
    /* Without one of its own among so many, a PES was given up: a second of 20 Mbit/s is fewer. */
    MPEGTS_PES_SILENT_MAX = 16384,
};

enum mpegts_pes {
    MPEGTS_PES_CLOSED,    /* complete */
    MPEGTS_PES_COUNTED,   /* left bytes are still to come */
    MPEGTS_PES_UNBOUNDED, /* ends with stuffing, or with the next one */
};

struct mpegts_pid {
    uint16_t pid;
    uint8_t counter;
    enum mpegts_pes pes;
    bool is_video;
    bool ended_by_stuffing; /* only presumed, therefore: no muxer need stuff the end alone */
    bool stuffs_inside;     /* a PES went on after stuffing: it says nothing here */
    uint32_t left;          /* with MPEGTS_PES_COUNTED */
    uint32_t used_at;
};

struct mpegts_pids {
    struct mpegts_pid all[MPEGTS_PIDS_MAX];
    unsigned count;
    uint32_t packets; /* taken so far */
    uint32_t gaps;    /* packets whose counter showed that others are missing in front of them */
};

/* All zero is a stream of which nothing has been seen. */
void mpegts_pids_init(struct mpegts_pids *pids);

/* Counts the next packet of the stream; those of no stream (PID 8191) are ignored. */
void mpegts_pids_take(struct mpegts_pids *pids, const struct mpegts_packet *packet);

/* NULL: not seen, or forgotten. Valid until the next packet. */
const struct mpegts_pid *mpegts_pids_find(const struct mpegts_pids *pids, uint16_t pid);

/* True when each PES seen so far is complete, except that of one PID (MPEGTS_PID_NULL: of none). */
bool mpegts_pids_are_closed(const struct mpegts_pids *pids, uint16_t except_pid);

/* The tables have changed: nothing more of the others is awaited. */
void mpegts_pids_close_others(struct mpegts_pids *pids, uint16_t pid);

/* The PID of the only PES that is not complete, if it has no length; otherwise MPEGTS_PID_NULL. */
uint16_t mpegts_pids_only_open(const struct mpegts_pids *pids);
