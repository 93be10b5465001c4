#include "wire/media/splice.h"

#include <string.h>

#include "base/check.h"

enum splice_layout {
    HEADER_SIZE = 4,
    PAYLOAD_SIZE = MPEGTS_PACKET_SIZE - HEADER_SIZE,
    UNIT_START = 0x40,
    CONTROL_PAYLOAD = 0x10,
    CONTROL_FIELD = 0x20,
    DISCONTINUITY = 0x80,
    COUNTER_MASK = 15,
    STUFFING = 0xff,
    PES_HEAD_SIZE = 9,
    PES_COUNTED_AT = 6, /* PES_packet_length counts from here */
};

static void header_write(uint16_t pid, unsigned flags, unsigned control, unsigned counter,
                         uint8_t *out)
{
    out[0] = MPEGTS_SYNC_BYTE;
    out[1] = (uint8_t)(flags | pid >> 8);
    out[2] = (uint8_t)pid;
    out[3] = (uint8_t)(control | (counter & COUNTER_MASK));
}

static void discontinuity_write(uint16_t pid, uint8_t counter, uint8_t *out)
{
    header_write(pid, 0, CONTROL_FIELD, counter, out);
    memset(out + HEADER_SIZE, STUFFING, PAYLOAD_SIZE);
    out[HEADER_SIZE] = PAYLOAD_SIZE - 1;
    out[HEADER_SIZE + 1] = DISCONTINUITY;
}

/* The section after a pointer_field of 0; the last packet has the counter, those before it the ones
 * before. */
static size_t table_write(uint16_t pid, uint8_t counter, const struct mpegts_table *table,
                          uint8_t *out)
{
    unsigned packets = (1u + table->len + PAYLOAD_SIZE - 1) / PAYLOAD_SIZE;
    struct bytes rest = bytes_of(table->data, table->len);
    uint8_t *at = out;

    discontinuity_write(pid, (uint8_t)(counter - packets), at);
    at += MPEGTS_PACKET_SIZE;
    for (unsigned i = 0; i < packets; i++, at += MPEGTS_PACKET_SIZE) {
        size_t pointer_len = i == 0 ? 1 : 0;
        size_t room = PAYLOAD_SIZE - pointer_len;
        size_t count = rest.len < room ? rest.len : room;

        header_write(pid, i == 0 ? UNIT_START : 0, CONTROL_PAYLOAD, counter - (packets - 1 - i),
                     at);
        memset(at + HEADER_SIZE, STUFFING, PAYLOAD_SIZE);
        memset(at + HEADER_SIZE, 0, pointer_len);
        memcpy(at + HEADER_SIZE + pointer_len, rest.data, count);
        rest = bytes_skip(rest, count);
    }
    return (size_t)(at - out);
}

/* A PES packet with end_of_seq_rbsp (H.265 §7.3.2.6), stamped like the picture that comes next, of
 * which parsers make it a part. */
static void end_write(const struct splice_point *point, uint8_t counter, uint8_t *out)
{
    static const uint8_t unit[] = {0, 0, 0, 1, 0x48, 1};
    const size_t len = PES_HEAD_SIZE + point->stamps_len + sizeof unit;
    const uint8_t head[PES_HEAD_SIZE] = {
        [2] = 1,
        [3] = 0xe0,
        [5] = (uint8_t)(len - PES_COUNTED_AT),
        [6] = 0x80,
        [7] = point->stamps_len == SPLICE_STAMPS_SIZE ? 0xc0
              : point->stamps_len > 0                 ? 0x80
                                                      : 0,
        [8] = point->stamps_len,
    };
    uint8_t *pes = out + MPEGTS_PACKET_SIZE - len;

    header_write(point->ended_pid, UNIT_START, CONTROL_FIELD | CONTROL_PAYLOAD, counter, out);
    memset(out + HEADER_SIZE, STUFFING, PAYLOAD_SIZE - len);
    out[HEADER_SIZE] = (uint8_t)(PAYLOAD_SIZE - len - 1);
    out[HEADER_SIZE + 1] = 0;
    memcpy(pes, head, sizeof head);
    memcpy(pes + sizeof head, point->stamps, point->stamps_len);
    memcpy(pes + sizeof head + point->stamps_len, unit, sizeof unit);
}

/* The packets for one PID that is no table's. */
static size_t pid_write(const struct splice_point *point, unsigned index, uint8_t *out)
{
    uint8_t counter = point->counters[index];

    if (point->pids[index] != point->ended_pid) {
        discontinuity_write(point->pids[index], counter, out);
        return MPEGTS_PACKET_SIZE;
    }
    discontinuity_write(point->ended_pid, (uint8_t)(counter - 1), out);
    end_write(point, counter, out + MPEGTS_PACKET_SIZE);
    return (size_t)2 * MPEGTS_PACKET_SIZE;
}

struct splice_point splice_point_before(const struct mpegts_pids *pids,
                                        const struct mpegts_packet *next)
{
    struct splice_point point = {.count = (uint8_t)pids->count, .ended_pid = MPEGTS_PID_NULL};

    for (unsigned i = 0; i < pids->count; i++) {
        bool is_next = next != NULL && next->payload.len > 0 && pids->all[i].pid == next->pid;

        point.pids[i] = pids->all[i].pid;
        point.counters[i] =
            is_next ? (next->continuity_counter - 1) & COUNTER_MASK : pids->all[i].counter;
    }
    return point;
}

static uint8_t counter_of(const struct splice_point *point, uint16_t pid)
{
    for (unsigned i = 0; i < point->count; i++) {
        if (point->pids[i] == pid) {
            return point->counters[i];
        }
    }
    return 0;
}

size_t splice_write(const struct splice_point *point, const struct mpegts_program *program,
                    uint8_t out[static SPLICE_SIZE_MAX])
{
    uint16_t map_pid = program->map_pid;
    size_t len;

    CHECK(program->association_table.len > 0 && program->map_table.len > 0);
    len = table_write(MPEGTS_PID_PAT, counter_of(point, MPEGTS_PID_PAT),
                      &program->association_table, out);
    len += table_write(map_pid, counter_of(point, map_pid), &program->map_table, out + len);
    for (unsigned i = 0; i < point->count; i++) {
        if (point->pids[i] != MPEGTS_PID_PAT && point->pids[i] != map_pid) {
            len += pid_write(point, i, out + len);
        }
    }
    return len;
}

size_t splice_write_gap(const struct splice_point *point, uint8_t out[static SPLICE_GAP_SIZE_MAX])
{
    for (unsigned i = 0; i < point->count; i++) {
        discontinuity_write(point->pids[i], point->counters[i],
                            out + (size_t)i * MPEGTS_PACKET_SIZE);
    }
    return (size_t)point->count * MPEGTS_PACKET_SIZE;
}
