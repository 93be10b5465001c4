#include "wire/media/mpegts.h"

#include <errno.h>

#include "base/attributes.h"

enum adaptation_field_control {
    AFC_PAYLOAD = 1,
    AFC_FIELD = 2,
};

enum adaptation_flags {
    AF_DISCONTINUITY = 0x80,
    AF_RANDOM_ACCESS = 0x40,
    AF_PCR = 0x10,
    AF_OPCR = 0x08,
    AF_SPLICING_POINT = 0x04,
    AF_PRIVATE_DATA = 0x02,
    AF_EXTENSION = 0x01,
};

enum mpegts_layout {
    HEADER_SIZE = 4,
    CLOCK_REFERENCE_SIZE = 6,
    FIELD_ONLY_LEN = MPEGTS_PACKET_SIZE - HEADER_SIZE - 1,
    PES_PREFIX_SIZE = 6, /* start code, stream_id, PES_packet_length */
    PES_FLAGS_AT = 7,
    PES_HEAD_SIZE = 9, /* up to PES_header_data_length */
    STAMP_SIZE = 5,
    STAMPS_PTS = 2, /* PTS_DTS_flags */
    STAMPS_BOTH = 3,
    PROBE_PACKETS = 3,
};

/* Skips a part that is preceded by its own length. False when it does not fit. */
static bool skip_counted(struct bytes field, size_t *used)
{
    if (*used >= field.len) {
        return false;
    }
    *used += 1u + field.data[*used];
    return *used <= field.len;
}

/* field: everything after adaptation_field_length (§2.4.3.4). */
static int adaptation_parse(struct bytes field, struct mpegts_packet *packet)
{
    uint8_t flags;
    size_t used = 1;

    if (field.len == 0) {
        packet->has_stuffing = true; /* a lone length byte stuffs one byte */
        return 0;
    }
    flags = field.data[0];
    used += flags & AF_PCR ? CLOCK_REFERENCE_SIZE : 0;
    used += flags & AF_OPCR ? CLOCK_REFERENCE_SIZE : 0;
    used += flags & AF_SPLICING_POINT ? 1 : 0;
    if (used > field.len || (flags & AF_PRIVATE_DATA && !skip_counted(field, &used)) ||
        (flags & AF_EXTENSION && !skip_counted(field, &used))) {
        return -EINVAL;
    }
    packet->discontinuity = flags & AF_DISCONTINUITY;
    packet->random_access = flags & AF_RANDOM_ACCESS;
    packet->has_stuffing = used < field.len;
    return 0;
}

int mpegts_packet_parse(struct bytes bytes, struct mpegts_packet *ret_packet)
{
    struct mpegts_packet packet = {0};
    unsigned control;
    size_t field_len = 0;

    if (bytes.len != MPEGTS_PACKET_SIZE || bytes.data[0] != MPEGTS_SYNC_BYTE) {
        return -EINVAL;
    }
    packet.transport_error = bytes.data[1] & 0x80;
    packet.payload_unit_start = bytes.data[1] & 0x40;
    packet.pid = (uint16_t)((bytes.data[1] & 0x1f) << 8 | bytes.data[2]);
    packet.continuity_counter = bytes.data[3] & 0x0f;
    control = bytes.data[3] >> 4 & 3;
    if (control == 0) {
        return -EINVAL; /* reserved: decoders discard it (§2.4.3.3) */
    }
    bytes = bytes_skip(bytes, HEADER_SIZE);
    if (control & AFC_FIELD) {
        field_len = bytes.data[0];
        /* §2.4.3.5: 183 without payload, else at least one byte of payload is left. */
        if (control & AFC_PAYLOAD ? field_len >= FIELD_ONLY_LEN : field_len != FIELD_ONLY_LEN) {
            return -EINVAL;
        }
        if (adaptation_parse(bytes_of(bytes.data + 1, field_len), &packet) != 0) {
            return -EINVAL;
        }
        bytes = bytes_skip(bytes, 1 + field_len);
    }
    if (packet.pid == MPEGTS_PID_NULL) {
        /* Its bytes mean nothing (§2.4.1), and it starts no unit, whatever it says (§2.4.3.3). */
        packet = (struct mpegts_packet){.pid = MPEGTS_PID_NULL};
    } else if (control & AFC_PAYLOAD) {
        packet.payload = bytes;
    }
    *ret_packet = packet;
    return 0;
}

bool mpegts_packet_starts_video(const struct mpegts_packet *packet)
{
    const uint8_t *pes = packet->payload.data;

    return packet->payload_unit_start && packet->payload.len >= 4 && pes[0] == 0 && pes[1] == 0 &&
           pes[2] == 1 && (pes[3] & 0xf0) == 0xe0;
}

struct bytes mpegts_packet_stamps(const struct mpegts_packet *packet)
{
    struct bytes header = packet->payload;
    unsigned flags;
    size_t len;

    if (!mpegts_packet_starts_video(packet) || header.len < PES_HEAD_SIZE) {
        return bytes_of(NULL, 0);
    }
    flags = header.data[PES_FLAGS_AT] >> 6;
    len = flags == STAMPS_BOTH ? 2 * STAMP_SIZE : flags == STAMPS_PTS ? STAMP_SIZE : 0;
    header = bytes_skip(header, PES_HEAD_SIZE);
    return bytes_of(header.data, len <= header.len ? len : 0);
}

uint64_t mpegts_stamps_pts(struct bytes stamps)
{
    const uint8_t *data = stamps.data;

    return (uint64_t)(data[0] >> 1 & 7) << 30 | (uint64_t)data[1] << 22 |
           (uint64_t)(data[2] >> 1) << 15 | (uint64_t)data[3] << 7 | data[4] >> 1;
}

size_t mpegts_packet_pes_len(const struct mpegts_packet *packet)
{
    size_t len;

    if (packet->payload.len < PES_PREFIX_SIZE) {
        return 0;
    }
    len = (size_t)packet->payload.data[4] << 8 | packet->payload.data[5];
    return len == 0 ? 0 : PES_PREFIX_SIZE + len;
}

bool mpegts_is_whole_packets(struct bytes bytes)
{
    if (bytes.len == 0 || bytes.len % MPEGTS_PACKET_SIZE != 0) {
        return false;
    }
    for (size_t i = 0; i < bytes.len; i += MPEGTS_PACKET_SIZE) {
        if (bytes.data[i] != MPEGTS_SYNC_BYTE) {
            return false;
        }
    }
    return true;
}

/* True when there is a sync byte every packet_size bytes from offset on, at least PROBE_PACKETS of
 * them. More than MPEGTS_PROBE_PACKETS_MAX are not looked at: a message made for it would cost that
 * for each offset. */
static bool sync_runs_from(struct bytes bytes, size_t offset, size_t packet_size)
{
    size_t found = 0;

    for (size_t i = offset; i < bytes.len && found < MPEGTS_PROBE_PACKETS_MAX;
         i += packet_size, found++) {
        if (bytes.data[i] != MPEGTS_SYNC_BYTE) {
            return false;
        }
    }
    return found >= PROBE_PACKETS;
}

static bool sync_runs(struct bytes bytes, size_t packet_size)
{
    for (size_t offset = 0; offset < packet_size; offset++) {
        if (sync_runs_from(bytes, offset, packet_size)) {
            return true;
        }
    }
    return false;
}

bool mpegts_probe(struct bytes bytes)
{
    struct mpegts_packet packet;

    if (mpegts_is_whole_packets(bytes)) {
        if (mpegts_packet_parse(bytes_of(bytes.data, MPEGTS_PACKET_SIZE), &packet) != 0) {
            return false;
        }
        /* A line of text may happen to be as long as one packet. */
        return bytes.len > MPEGTS_PACKET_SIZE ||
               (packet.payload_unit_start && packet.pid == MPEGTS_PID_PAT);
    }
    return sync_runs(bytes, MPEGTS_PACKET_SIZE);
}

size_t mpegts_probe_other_size(struct bytes bytes)
{
    static const size_t sizes[] = {192, 204};

    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        if (sync_runs(bytes, sizes[i])) {
            return sizes[i];
        }
    }
    return 0;
}
