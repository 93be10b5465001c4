/* MPEG transport stream packets (ISO/IEC 13818-1 §2.4.3): synchronisation, random-access points,
 * and where a video frame ends when the stream comes in arbitrary pieces. Pure: no I/O; the framer
 * keeps one bounded buffer that its owner gives it. One framer, one thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

enum mpegts_sizes {
    MPEGTS_PACKET_SIZE = 188,
    MPEGTS_SYNC_BYTE = 0x47,
    MPEGTS_PID_NULL = 0x1fff,
};

struct mpegts_packet {
    uint16_t pid;
    bool payload_unit_start;
    bool random_access; /* random_access_indicator of the adaptation field */
    bool has_stuffing;  /* the adaptation field ends in stuffing: the last packet of a PES */
    bool transport_error;
    uint8_t continuity_counter;
    struct bytes payload; /* borrowed from the packet; may be empty */
};

/* packet: exactly MPEGTS_PACKET_SIZE bytes. -EINVAL without sync byte or with an adaptation field
 * that does not fit. */
MUST_USE int mpegts_packet_parse(struct bytes packet, struct mpegts_packet *ret_packet);

/* True when the bytes look like whole transport-stream packets: length a multiple of 188 and each
 * sync byte in place. */
bool mpegts_is_whole_packets(struct bytes bytes);

/* True when one of the packets starts a video access unit with the random-access indicator (PUSI,
 * RAI, PES stream_id e0–ef). */
bool mpegts_has_random_access(struct bytes packets);
