/* mpegts_pids_init, _take, _find, _are_closed: the input is a stream, packet by packet. The number
 * of streams is bounded; each packet's counter is found again; a PES that has a length is complete
 * exactly when none of it is missing. */
#include <stdint.h>

#include "base/check.h"
#include "wire/media/mpegts_pids.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct mpegts_pids *pids, const struct mpegts_packet *packet)
{
    const struct mpegts_pid *pid = mpegts_pids_find(pids, packet->pid);
    bool closed = true;

    CHECK(pids->count <= MPEGTS_PIDS_MAX);
    CHECK((pid == NULL) == (packet->pid == MPEGTS_PID_NULL));
    CHECK(pid == NULL || pid->counter == packet->continuity_counter);
    for (unsigned i = 0; i < pids->count; i++) {
        CHECK((pids->all[i].pes == MPEGTS_PES_COUNTED) == (pids->all[i].left > 0));
        closed = closed && pids->all[i].pes == MPEGTS_PES_CLOSED;
    }
    CHECK(closed == mpegts_pids_are_closed(pids, MPEGTS_PID_NULL));
    CHECK(!closed || mpegts_pids_are_closed(pids, packet->pid));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mpegts_pids pids;

    mpegts_pids_init(&pids);
    for (struct bytes rest = bytes_of(data, size); rest.len >= MPEGTS_PACKET_SIZE;
         rest = bytes_skip(rest, MPEGTS_PACKET_SIZE)) {
        struct mpegts_packet packet;

        if (mpegts_packet_parse(bytes_of(rest.data, MPEGTS_PACKET_SIZE), &packet) == 0) {
            mpegts_pids_take(&pids, &packet);
            check(&pids, &packet);
        }
    }
    return 0;
}
