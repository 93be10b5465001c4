/* Crafted tables (PAT, PMT) for the tests of mpegts_program and of the sink. */
#pragma once

#include "tests/unit/wire/media/mpegts_packets.h"

/* CRC_32 of Annex A, by a table-less loop of its own. */
static inline uint32_t craft_crc(const uint8_t *data, size_t len)
{
    uint32_t crc = 0xffffffff;

    while (len-- > 0) {
        uint8_t byte = *data++;

        for (uint8_t mask = 0x80; mask != 0; mask >>= 1) {
            uint32_t bit = (crc >> 31) ^ ((byte & mask) != 0);

            crc = crc << 1 ^ (bit ? 0x04c11db7 : 0);
        }
    }
    return crc;
}

/* entries: what stands between the table's fixed part and its CRC. Returns the section's length. */
static inline size_t craft_section(uint8_t table_id, const uint8_t *fixed, size_t fixed_len,
                                   const uint8_t *entries, size_t entries_len, uint8_t *section)
{
    size_t len = 8 + fixed_len + entries_len;
    size_t counted = len + 4 - 3;
    uint32_t crc;

    section[0] = table_id;
    section[1] = (uint8_t)(0xb0 | counted >> 8);
    section[2] = (uint8_t)counted;
    section[3] = 0;
    section[4] = 1;
    section[5] = 0xc1; /* version 0, current */
    section[6] = section[7] = 0;
    memcpy(section + 8, fixed, fixed_len);
    memcpy(section + 8 + fixed_len, entries, entries_len);
    crc = craft_crc(section, len);
    for (unsigned i = 0; i < 4; i++) {
        section[len + i] = (uint8_t)(crc >> (24 - 8 * i));
    }
    return len + 4;
}

/* A packet that carries a section from offset on; at 0 it begins there. Returns where to go on. */
static inline size_t craft_section_packet(uint16_t pid, const uint8_t *section, size_t len,
                                          size_t offset, uint8_t packet[static MPEGTS_PACKET_SIZE])
{
    size_t at = 4;
    size_t count;

    memset(packet, 0xff, MPEGTS_PACKET_SIZE);
    packet[0] = MPEGTS_SYNC_BYTE;
    packet[1] = (uint8_t)((offset == 0 ? 0x40 : 0) | pid >> 8);
    packet[2] = (uint8_t)pid;
    packet[3] = 0x10;
    if (offset == 0) {
        packet[at++] = 0; /* pointer_field */
    }
    count = MPEGTS_PACKET_SIZE - at < len - offset ? MPEGTS_PACKET_SIZE - at : len - offset;
    memcpy(packet + at, section + offset, count);
    return offset + count;
}

/* One program whose PMT is on PID_PMT. */
static inline void craft_pat(uint8_t packet[static MPEGTS_PACKET_SIZE])
{
    const uint8_t entries[] = {0, 1, 0xe0 | PID_PMT >> 8, PID_PMT & 0xff};
    uint8_t section[64];
    size_t len = craft_section(0, entries, 0, entries, sizeof entries, section);

    (void)craft_section_packet(MPEGTS_PID_PAT, section, len, 0, packet);
}

/* A PMT with one stream on PID_VIDEO or, of another type, as the only one on PID_AUDIO. */
static inline void craft_pmt(uint8_t stream_type, uint16_t pid,
                             uint8_t packet[static MPEGTS_PACKET_SIZE])
{
    const uint8_t fixed[] = {0xe0 | PID_VIDEO >> 8, PID_VIDEO & 0xff, 0xf0, 0};
    const uint8_t entries[] = {
        stream_type, (uint8_t)(0xe0 | pid >> 8), (uint8_t)pid, 0xf0, 0,
    };
    uint8_t section[64];
    size_t len = craft_section(2, fixed, sizeof fixed, entries, sizeof entries, section);

    (void)craft_section_packet(PID_PMT, section, len, 0, packet);
}

/* A picture of one packet: a video PES whose elementary stream begins with these bytes. */
static inline void craft_picture(const uint8_t *stream, size_t len, bool random_access,
                                 uint8_t packet[static MPEGTS_PACKET_SIZE])
{
    const unsigned payload_len = PACKET_PAYLOAD_MAX - 2;
    uint8_t *payload = packet + MPEGTS_PACKET_SIZE - payload_len;

    craft_packet(&(struct craft){.pid = PID_VIDEO,
                                 .starts_pes = true,
                                 .stream_id = STREAM_ID_VIDEO,
                                 .pes_len = (uint16_t)(payload_len - 6),
                                 .random_access = random_access,
                                 .payload_len = payload_len,
                                 .filler = 0xaa},
                 packet);
    payload[6] = 0x80;
    payload[7] = 0;
    payload[8] = 3; /* PES_header_data_length; a start code among its stuffing would be found */
    memset(payload + 9, 0xff, 3);
    memcpy(payload + 12, stream, len);
}
