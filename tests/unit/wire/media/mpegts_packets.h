/* Crafted transport-stream packets for the tests of mpegts and mpegts_framer: one call per packet,
 * each fully determined by its arguments. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "wire/media/mpegts.h"

enum crafted_pids { PID_PMT = 0x1000, PID_VIDEO = 0x100, PID_AUDIO = 0x101 };
enum crafted_stream_ids { STREAM_ID_VIDEO = 0xe0, STREAM_ID_AUDIO = 0xc0 };

enum { PACKET_PAYLOAD_MAX = MPEGTS_PACKET_SIZE - 4 };

/* How to make one packet. payload_len < PACKET_PAYLOAD_MAX is filled up with stuffing. */
struct craft {
    uint16_t pid;
    bool starts_pes;
    uint8_t stream_id; /* with starts_pes */
    uint16_t pes_len;  /* the field; with starts_pes */
    bool random_access;
    unsigned payload_len; /* 0: full, or with an adaptation field the most that fits */
    uint8_t filler;
};

static inline void craft_packet(const struct craft *craft,
                                uint8_t packet[static MPEGTS_PACKET_SIZE])
{
    unsigned payload_len = craft->payload_len;
    uint8_t *payload;

    if (payload_len == 0) {
        payload_len = craft->random_access ? PACKET_PAYLOAD_MAX - 2 : PACKET_PAYLOAD_MAX;
    }
    assert(payload_len <= PACKET_PAYLOAD_MAX);
    memset(packet, 0xff, MPEGTS_PACKET_SIZE);
    packet[0] = MPEGTS_SYNC_BYTE;
    packet[1] = (uint8_t)((craft->starts_pes ? 0x40 : 0) | craft->pid >> 8);
    packet[2] = (uint8_t)craft->pid;
    packet[3] = payload_len < PACKET_PAYLOAD_MAX ? 0x30 : 0x10;
    if (payload_len < PACKET_PAYLOAD_MAX) {
        packet[4] = (uint8_t)(PACKET_PAYLOAD_MAX - payload_len - 1);
    }
    if (payload_len + 1 < PACKET_PAYLOAD_MAX) {
        packet[5] = craft->random_access ? 0x40 : 0;
    }
    payload = packet + MPEGTS_PACKET_SIZE - payload_len;
    memset(payload, craft->filler, payload_len);
    if (craft->starts_pes && payload_len >= 6) {
        const uint8_t prefix[] = {
            0, 0, 1, craft->stream_id, (uint8_t)(craft->pes_len >> 8), (uint8_t)craft->pes_len,
        };
        memcpy(payload, prefix, sizeof prefix);
    }
}
