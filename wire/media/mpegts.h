/* MPEG transport stream packets (ISO/IEC 13818-1 §2.4.3): what a video sender needs to know about
 * one packet. Pure: no I/O, no allocation, any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

enum mpegts_sizes {
    MPEGTS_PACKET_SIZE = 188,
    MPEGTS_SYNC_BYTE = 0x47,
    MPEGTS_PID_PAT = 0,
    MPEGTS_PID_NULL = 0x1fff,
};

enum mpegts_limits {
    MPEGTS_PROBE_PACKETS_MAX = 16, /* after so many in a row a probe is sure */
};

struct mpegts_packet {
    uint16_t pid;
    bool payload_unit_start;
    bool random_access; /* random_access_indicator of the adaptation field */
    bool has_stuffing;  /* the adaptation field ends in stuffing: the last packet of a PES */
    bool transport_error;
    bool discontinuity; /* discontinuity_indicator: the counter starts anew */
    uint8_t continuity_counter;
    struct bytes payload; /* borrowed from the packet; may be empty */
};

/* packet: exactly MPEGTS_PACKET_SIZE bytes. -EINVAL if the sync byte is missing, the adaptation
 * field does not fit, or there is neither field nor payload. A null packet has a PID and nothing
 * else. */
MUST_USE int mpegts_packet_parse(struct bytes packet, struct mpegts_packet *ret_packet);

/* True when a video PES packet (stream_id e0–ef, §2.4.3.7) begins in this packet: a frame. */
bool mpegts_packet_starts_video(const struct mpegts_packet *packet);

/* PTS, or PTS and DTS, as they stand in the header of a video PES packet that begins here
 * (§2.4.3.6): 5 or 10 bytes; empty when there is none, or not in this packet. */
struct bytes mpegts_packet_stamps(const struct mpegts_packet *packet);

/* The PTS, of 33 bits at 90 kHz, of stamps that are not empty. */
uint64_t mpegts_stamps_pts(struct bytes stamps);

/* Payload bytes of the whole PES packet that begins here, header included; 0 when unknown:
 * PES_packet_length is 0 (allowed for video) or in the next packet. */
size_t mpegts_packet_pes_len(const struct mpegts_packet *packet);

/* True when the bytes look like whole transport-stream packets: length a multiple of 188, not
 * empty, and each sync byte in place. */
bool mpegts_is_whole_packets(struct bytes bytes);

/* True when a stream that begins with these bytes is a transport stream, perhaps joined inside a
 * packet: whole packets, or a sync byte every 188 bytes, at least three, up to the end or to
 * MPEGTS_PROBE_PACKETS_MAX. Text may begin with a sync
 * byte ('G'), so a single packet counts only if it is a program association table. */
bool mpegts_probe(struct bytes bytes);

/* 192 (M2TS: a time stamp before each packet) or 204 (error correction after it) when a stream that
 * begins with these bytes consists of such packets, at least three; otherwise 0. */
size_t mpegts_probe_other_size(struct bytes bytes);
