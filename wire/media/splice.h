/* The packets that let a decoder go on from one place of a transport stream at another, or begin
 * there: the tables, and for each PID a packet without payload that says discontinuity_indicator
 * (ISO/IEC 13818-1 §2.4.3.5) and has the counter before the one that comes next. They depend on the
 * place alone, not on what a viewer has seen: all who begin there share them. Pure: no I/O, no
 * allocation, any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "wire/media/mpegts_pids.h"
#include "wire/media/mpegts_program.h"

enum splice_limits {
    SPLICE_TABLE_PACKETS_MAX = 3, /* MPEGTS_TABLE_SIZE */
    SPLICE_GAP_SIZE_MAX = MPEGTS_PIDS_MAX * MPEGTS_PACKET_SIZE,
    SPLICE_STAMPS_SIZE = 10,
    SPLICE_PACKETS_MAX = MPEGTS_PIDS_MAX + 3 + 2 * SPLICE_TABLE_PACKETS_MAX,
    SPLICE_SIZE_MAX = SPLICE_PACKETS_MAX * MPEGTS_PACKET_SIZE,
};

/* A place between two packets: the counter that each PID had last. */
struct splice_point {
    uint16_t pids[MPEGTS_PIDS_MAX];
    uint8_t counters[MPEGTS_PIDS_MAX];
    uint8_t count;
    uint8_t stamps_len;
    uint8_t stamps[SPLICE_STAMPS_SIZE]; /* of the picture that comes next: PTS, DTS */

    /* H.265 whose sequence ends here, or MPEGTS_PID_NULL. An end_of_seq NAL unit tells the decoder,
     * for the leading pictures of a CRA picture that comes next need what is left out. */
    uint16_t ended_pid;
};

/* The place in front of a packet that pids have not counted yet: if packets of its PID are missing,
 * the splice makes up for them. NULL: behind the last one. */
struct splice_point splice_point_before(const struct mpegts_pids *pids,
                                        const struct mpegts_packet *next);

/* Writes whole packets: first the tables of the program, which both must be known. Returns their
 * length in bytes. */
size_t splice_write(const struct splice_point *point, const struct mpegts_program *program,
                    uint8_t out[static SPLICE_SIZE_MAX]);

/* Writes whole packets without tables, for readers who know them and lack packets before the point:
 * behind it, what comes next is no loss. Returns their length in bytes. */
size_t splice_write_gap(const struct splice_point *point, uint8_t out[static SPLICE_GAP_SIZE_MAX]);
