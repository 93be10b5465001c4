#include "perf/footage/footage_make.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum {
    PID_MAP = 0x1000,
    PID_VIDEO = 0x100,
    STREAM_TYPE_H264 = 0x1b,
    HEADER_BYTES = 4,
    FIRST_ROOM = FOOTAGE_PACKET_BYTES - HEADER_BYTES - 8, /* beside PCR in the first packet */
    PES_HEADER_BYTES = 14,
    PES_LENGTH_FROM = 6,
    STAMP_STEP = 90000 / FOOTAGE_RATE_DEFAULT,
    SECTION_BYTES_MAX = 64,
    TABLES = 2,
};

struct maker {
    uint8_t *data;
    size_t len;
    size_t size;
    uint8_t counters[2]; /* of tables, which are one packet each, and of video */
};

static uint32_t crc_of(const uint8_t *data, size_t len)
{
    uint32_t crc = UINT32_MAX; /* ISO/IEC 13818-1 annex A */

    for (size_t i = 0; i < len; i++) {
        crc ^= (uint32_t)data[i] << 24;
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = (crc & 0x80000000u) != 0 ? crc << 1 ^ 0x04c11db7u : crc << 1;
        }
    }
    return crc;
}

static uint8_t *packet_add(struct maker *maker, uint16_t pid, bool is_start, uint8_t counter)
{
    uint8_t *packet = maker->data + maker->len;

    CHECK(maker->len + FOOTAGE_PACKET_BYTES <= maker->size);
    maker->len += FOOTAGE_PACKET_BYTES;
    memset(packet, 0xff, FOOTAGE_PACKET_BYTES);
    packet[0] = 0x47;
    packet[1] = (uint8_t)((is_start ? 0x40 : 0) | pid >> 8);
    packet[2] = (uint8_t)pid;
    packet[3] = (uint8_t)(0x10 | (counter & 0x0f));
    return packet;
}

/* section: from the table_id on, with room for the CRC. */
static void table_add(struct maker *maker, uint16_t pid, uint8_t *section, size_t len)
{
    uint8_t *packet = packet_add(maker, pid, true, maker->counters[0]);
    uint32_t crc;

    section[1] = 0xb0;
    section[2] = (uint8_t)(len + 4 - 3);
    crc = crc_of(section, len);
    packet[HEADER_BYTES] = 0; /* pointer_field */
    memcpy(packet + HEADER_BYTES + 1, section, len);
    for (unsigned i = 0; i < 4; i++) {
        packet[HEADER_BYTES + 1 + len + i] = (uint8_t)(crc >> (24 - 8 * i));
    }
}

static void tables_add(struct maker *maker)
{
    uint8_t association[SECTION_BYTES_MAX] = {
        0, 0, 0, 0, 1, 0xc1, 0, 0, 0, 1, 0xe0 | PID_MAP >> 8, PID_MAP & 0xff,
    };
    uint8_t map[SECTION_BYTES_MAX] = {
        2,
        0,
        0,
        0,
        1,
        0xc1,
        0,
        0,
        0xe0 | PID_VIDEO >> 8,
        PID_VIDEO & 0xff,
        0xf0,
        0,
        STREAM_TYPE_H264,
        0xe0 | PID_VIDEO >> 8,
        PID_VIDEO & 0xff,
        0xf0,
        0,
    };

    table_add(maker, 0, association, 12);
    table_add(maker, PID_MAP, map, 17);
    maker->counters[0]++;
}

static void stamp_write(uint64_t stamp, uint8_t *out)
{
    out[0] = (uint8_t)(0x21 | (stamp >> 29 & 0x0e));
    out[1] = (uint8_t)(stamp >> 22);
    out[2] = (uint8_t)(stamp >> 14 | 1);
    out[3] = (uint8_t)(stamp >> 7);
    out[4] = (uint8_t)(stamp << 1 | 1);
}

/* Adaptation field with the PCR (§2.4.3.4). */
static void clock_write(uint64_t stamp, bool is_key, uint8_t *packet)
{
    packet[3] |= 0x20;
    packet[4] = 7;
    packet[5] = is_key ? 0x50 : 0x10;
    packet[6] = (uint8_t)(stamp >> 25);
    packet[7] = (uint8_t)(stamp >> 17);
    packet[8] = (uint8_t)(stamp >> 9);
    packet[9] = (uint8_t)(stamp >> 1);
    packet[10] = (uint8_t)((stamp << 7 & 0x80) | 0x7e);
    packet[11] = 0;
}

/* Access unit delimiter, parameter sets with a key picture, and the first slice. */
static size_t units_write(bool is_key, uint8_t *out)
{
    static const uint8_t key[] = {0, 0, 0, 1, 9,    0x10, 0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1e, 0xd9,
                                  0, 0, 0, 1, 0x68, 0xce, 6, 0, 0, 0, 1,    0x65, 0x88, 0x80};
    static const uint8_t other[] = {0, 0, 0, 1, 9, 0x30, 0, 0, 0, 1, 0x41, 0x9a, 0x20};

    memcpy(out, is_key ? key : other, is_key ? sizeof key : sizeof other);
    return is_key ? sizeof key : sizeof other;
}

/* PES header, units, then filling in which the number makes each picture another. */
static void picture_write(unsigned number, bool is_key, uint64_t stamp, uint8_t *pes, size_t len)
{
    static const uint8_t header[] = {0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5};

    memcpy(pes, header, sizeof header);
    pes[4] = (uint8_t)((len - PES_LENGTH_FROM) >> 8); /* so that its end is known with it */
    pes[5] = (uint8_t)(len - PES_LENGTH_FROM);
    stamp_write(stamp, pes + sizeof header);
    size_t at = PES_HEADER_BYTES + units_write(is_key, pes + PES_HEADER_BYTES);

    for (; at < len; at++) {
        pes[at] = (uint8_t)(0x80 | (at * 7 + number * 13)); /* never a start code */
    }
}

/* Without stuffing: the sizes are whole packets. */
static void picture_add(struct maker *maker, unsigned number, bool is_key)
{
    uint8_t pes[FOOTAGE_KEY_BYTES + FOOTAGE_PACKET_BYTES];
    uint64_t stamp = STAMP_STEP * (uint64_t)(number + 1);
    size_t rest = FOOTAGE_PACKET_BYTES - HEADER_BYTES;
    size_t wanted = is_key ? FOOTAGE_KEY_BYTES : FOOTAGE_OTHER_BYTES;
    size_t len = FIRST_ROOM + (wanted - FIRST_ROOM + rest - 1) / rest * rest;

    CHECK(len <= sizeof pes);
    picture_write(number, is_key, stamp, pes, len);
    for (size_t at = 0; at < len;) {
        bool is_first = at == 0;
        uint8_t *packet = packet_add(maker, PID_VIDEO, is_first, maker->counters[1]++);
        size_t room = is_first ? FIRST_ROOM : rest;

        if (is_first) {
            clock_write(stamp, is_key, packet);
        }
        memcpy(packet + FOOTAGE_PACKET_BYTES - room, pes + at, room);
        at += room;
    }
}

int footage_make(unsigned group_ms, struct footage *ret_footage,
                 char error[static FOOTAGE_ERROR_SIZE])
{
    CHECK(group_ms > 0 && group_ms <= FOOTAGE_GROUP_MS_MAX);
    unsigned in_group = (group_ms * FOOTAGE_RATE_DEFAULT + 999) / 1000;
    unsigned total_ms = FOOTAGE_MADE_MS;
    unsigned groups = (total_ms * FOOTAGE_RATE_DEFAULT / 1000 + in_group - 1) / in_group;
    size_t group_bytes = (size_t)TABLES * FOOTAGE_PACKET_BYTES + 2 * FOOTAGE_KEY_BYTES +
                         (size_t)in_group * 2 * FOOTAGE_OTHER_BYTES;
    struct maker maker = {.size = groups * group_bytes};

    maker.data = malloc(maker.size);
    if (maker.data == NULL) {
        memcpy(error, "no memory", sizeof "no memory");
        return -ENOMEM;
    }
    for (unsigned i = 0; i < groups * in_group; i++) {
        if (i % in_group == 0) {
            tables_add(&maker);
        }
        picture_add(&maker, i, i % in_group == 0);
    }
    return footage_of_bytes(maker.data, maker.len, ret_footage, error);
}

int footage_make_or_load(const char *path, unsigned group_ms, struct footage *ret_footage,
                         char error[static FOOTAGE_ERROR_SIZE])
{
    return path != NULL ? footage_load(path, ret_footage, error)
                        : footage_make(group_ms, ret_footage, error);
}
