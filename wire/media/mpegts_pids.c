#include "wire/media/mpegts_pids.h"

#include <string.h>

enum { COUNTER_MASK = 15, START_CODE_SIZE = 3 };

void mpegts_pids_init(struct mpegts_pids *pids)
{
    memset(pids, 0, sizeof *pids);
}

static struct mpegts_pid *find(struct mpegts_pids *pids, uint16_t pid)
{
    for (unsigned i = 0; i < pids->count; i++) {
        if (pids->all[i].pid == pid) {
            return &pids->all[i];
        }
    }
    return NULL;
}

const struct mpegts_pid *mpegts_pids_find(const struct mpegts_pids *pids, uint16_t pid)
{
    for (unsigned i = 0; i < pids->count; i++) {
        if (pids->all[i].pid == pid) {
            return &pids->all[i];
        }
    }
    return NULL;
}

/* A place for one more: the next, or that of the PID seen longest ago. */
static struct mpegts_pid *place_for(struct mpegts_pids *pids, const struct mpegts_packet *packet)
{
    struct mpegts_pid *place = &pids->all[0];

    if (pids->count < MPEGTS_PIDS_MAX) {
        place = &pids->all[pids->count++];
    } else {
        for (unsigned i = 1; i < pids->count; i++) {
            if (pids->packets - pids->all[i].used_at > pids->packets - place->used_at) {
                place = &pids->all[i];
            }
        }
    }
    *place = (struct mpegts_pid){
        .pid = packet->pid,
        .counter = (packet->continuity_counter - (packet->payload.len > 0)) & COUNTER_MASK,
    };
    return place;
}

static void pes_end(struct mpegts_pid *pid, bool by_stuffing)
{
    pid->pes = MPEGTS_PES_CLOSED;
    pid->left = 0;
    pid->ended_by_stuffing = by_stuffing;
}

/* Takes payload of the PES that is open. */
static void pes_extend(struct mpegts_pid *pid, const struct mpegts_packet *packet)
{
    if (pid->pes == MPEGTS_PES_COUNTED) {
        pid->left -= packet->payload.len < pid->left ? (uint32_t)packet->payload.len : pid->left;
        if (pid->left == 0) {
            pes_end(pid, false);
        }
    } else if (pid->pes == MPEGTS_PES_UNBOUNDED && packet->has_stuffing && !pid->stuffs_inside) {
        pes_end(pid, true);
    }
}

static void pes_begin(struct mpegts_pid *pid, const struct mpegts_packet *packet)
{
    size_t len = mpegts_packet_pes_len(packet);

    pes_end(pid, false);
    if (packet->payload.len < START_CODE_SIZE ||
        memcmp(packet->payload.data, (const uint8_t[]){0, 0, 1}, START_CODE_SIZE) != 0) {
        return; /* a section */
    }
    pid->is_video = mpegts_packet_starts_video(packet);
    if (len > 0) {
        pid->pes = MPEGTS_PES_COUNTED;
        pid->left = (uint32_t)len;
    } else if (pid->is_video) {
        pid->pes = MPEGTS_PES_UNBOUNDED;
    }
    pes_extend(pid, packet);
}

static void pes_continue(struct mpegts_pid *pid, const struct mpegts_packet *packet)
{
    unsigned step = (packet->continuity_counter - pid->counter) & COUNTER_MASK;

    if (step == 0 && !packet->discontinuity) {
        return; /* a packet sent twice (§2.4.3.3) */
    }
    if (step != 1 && pid->pes == MPEGTS_PES_COUNTED) {
        pid->pes = MPEGTS_PES_UNBOUNDED; /* packets are lost: so is the count */
        pid->left = 0;
    }
    if (pid->pes == MPEGTS_PES_CLOSED && pid->is_video) {
        pid->stuffs_inside = pid->stuffs_inside || (pid->ended_by_stuffing && step == 1);
        pid->pes = MPEGTS_PES_UNBOUNDED;
    }
    pes_extend(pid, packet);
}

/* §2.4.3.3: packets without payload repeat the counter, and one with it may be sent twice. */
static bool follows(const struct mpegts_pid *pid, const struct mpegts_packet *packet)
{
    unsigned step = (packet->continuity_counter - pid->counter) & COUNTER_MASK;

    return packet->discontinuity || step == 0 || (step == 1 && packet->payload.len > 0);
}

void mpegts_pids_take(struct mpegts_pids *pids, const struct mpegts_packet *packet)
{
    struct mpegts_pid *pid;

    if (packet->pid == MPEGTS_PID_NULL) {
        return;
    }
    pid = find(pids, packet->pid);
    pid = pid != NULL ? pid : place_for(pids, packet);
    pid->used_at = pids->packets++;
    pids->gaps += follows(pid, packet) ? 0 : 1;
    if (packet->payload.len > 0) {
        if (packet->payload_unit_start) {
            pes_begin(pid, packet);
        } else {
            pes_continue(pid, packet);
        }
    }
    pid->counter = packet->continuity_counter;
}

void mpegts_pids_close_others(struct mpegts_pids *pids, uint16_t pid)
{
    for (unsigned i = 0; i < pids->count; i++) {
        if (pids->all[i].pid != pid) {
            pes_end(&pids->all[i], false);
        }
    }
}

static bool is_open(const struct mpegts_pids *pids, const struct mpegts_pid *pid)
{
    return pid->pes != MPEGTS_PES_CLOSED && pids->packets - pid->used_at <= MPEGTS_PES_SILENT_MAX;
}

bool mpegts_pids_are_closed(const struct mpegts_pids *pids, uint16_t except_pid)
{
    for (unsigned i = 0; i < pids->count; i++) {
        if (is_open(pids, &pids->all[i]) && pids->all[i].pid != except_pid) {
            return false;
        }
    }
    return true;
}

uint16_t mpegts_pids_only_open(const struct mpegts_pids *pids)
{
    for (unsigned i = 0; i < pids->count; i++) {
        const struct mpegts_pid *pid = &pids->all[i];

        if (is_open(pids, pid)) {
            return pid->pes == MPEGTS_PES_UNBOUNDED && mpegts_pids_are_closed(pids, pid->pid)
                       ? pid->pid
                       : MPEGTS_PID_NULL;
        }
    }
    return MPEGTS_PID_NULL;
}
