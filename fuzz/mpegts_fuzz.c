/* mpegts_packet_parse, mpegts_packet_starts_video, mpegts_packet_pes_len, mpegts_is_whole_packets,
 * mpegts_probe, mpegts_probe_other_size: any bytes. Their results must agree with each other, and
 * every result must lie within the input. */
#include <stdint.h>

#include "base/check.h"
#include "wire/media/mpegts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_packet(struct bytes raw)
{
    struct mpegts_packet packet = {0};

    if (mpegts_packet_parse(raw, &packet) != 0) {
        return;
    }
    CHECK(raw.len == MPEGTS_PACKET_SIZE && raw.data[0] == MPEGTS_SYNC_BYTE);
    CHECK(packet.pid <= MPEGTS_PID_NULL);
    if (packet.payload.len > 0) {
        /* A payload always reaches to the end of its packet. */
        CHECK(packet.payload.data + packet.payload.len == raw.data + raw.len);
        CHECK(packet.payload.len <= MPEGTS_PACKET_SIZE - 4);
    }
    CHECK(!mpegts_packet_starts_video(&packet) || packet.payload_unit_start);
    CHECK(mpegts_packet_pes_len(&packet) <= 0xffff + 6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_of(data, size);
    for (struct bytes rest = input; rest.len > 0; rest = bytes_skip(rest, MPEGTS_PACKET_SIZE)) {
        size_t len = rest.len < MPEGTS_PACKET_SIZE ? rest.len : MPEGTS_PACKET_SIZE;

        check_packet(bytes_of(rest.data, len));
    }
    if (mpegts_is_whole_packets(input)) {
        CHECK(size % MPEGTS_PACKET_SIZE == 0 && data[0] == MPEGTS_SYNC_BYTE);
    }
    (void)mpegts_probe(input);
    size_t other_size = mpegts_probe_other_size(input);

    CHECK(other_size == 0 || ((other_size == 192 || other_size == 204) && size > 2 * other_size));
    return 0;
}
