#include "wire/media/probe_state.h"

#include <stddef.h>
#include <string.h>

/* A change of the layout changes one of these, most often, as machines of 64 bits see it. */
_Static_assert(sizeof(void *) != 8 ||
                   (sizeof(struct stream_probe) == 4144 && sizeof(struct mpegts_pid) == 20),
               "PROBE_STATE_LAYOUT goes up with each change");

static const size_t flags[] = {
    offsetof(struct stream_probe, is_stream),
    offsetof(struct stream_probe, synced),
    offsetof(struct stream_probe, key_is_open),
    offsetof(struct stream_probe, may_lead),
    offsetof(struct stream_probe, program.association.open),
    offsetof(struct stream_probe, program.map.open),
    offsetof(struct stream_probe, program.video_seen),
    offsetof(struct stream_probe, program.probe.done),
    offsetof(struct stream_probe, program.probe.key),
    offsetof(struct stream_probe, program.probe.disposable),
    offsetof(struct stream_probe, program.probe.open_gop),
    offsetof(struct stream_probe, program.probe.in_unit),
};

static const size_t pid_flags[] = {
    offsetof(struct mpegts_pid, is_video),
    offsetof(struct mpegts_pid, ended_by_stuffing),
    offsetof(struct mpegts_pid, stuffs_inside),
};

static bool flags_are_sound(const uint8_t *bytes)
{
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (bytes[flags[i]] > 1) {
            return false;
        }
    }
    for (size_t pid = 0; pid < MPEGTS_PIDS_MAX; pid++) {
        size_t at = offsetof(struct stream_probe, pids.all) + pid * sizeof(struct mpegts_pid);

        for (size_t i = 0; i < sizeof pid_flags / sizeof pid_flags[0]; i++) {
            if (bytes[at + pid_flags[i]] > 1) {
                return false;
            }
        }
    }
    return true;
}

static bool video_is_sound(const struct video_probe *video)
{
    return video->codec <= VIDEO_CODEC_H265 && video->zeros <= 2 && video->sei_step <= 2;
}

static bool program_is_sound(const struct mpegts_program *program)
{
    return program->association.len <= MPEGTS_SECTION_SIZE &&
           program->map.len <= MPEGTS_SECTION_SIZE &&
           program->association_table.len <= MPEGTS_TABLE_SIZE &&
           program->map_table.len <= MPEGTS_TABLE_SIZE && program->map_pid <= MPEGTS_PID_NULL &&
           program->video_pid <= MPEGTS_PID_NULL && program->video <= MPEGTS_VIDEO_PRESENT &&
           program->codec <= VIDEO_CODEC_H265 && video_is_sound(&program->probe);
}

static bool pids_are_sound(const struct mpegts_pids *pids)
{
    for (unsigned i = 0; i < MPEGTS_PIDS_MAX; i++) {
        if (pids->all[i].pes > MPEGTS_PES_UNBOUNDED || pids->all[i].pid > MPEGTS_PID_NULL) {
            return false;
        }
    }
    return pids->count <= MPEGTS_PIDS_MAX;
}

static bool point_is_sound(const struct splice_point *point)
{
    return point->count <= MPEGTS_PIDS_MAX && point->stamps_len <= SPLICE_STAMPS_SIZE &&
           point->ended_pid <= MPEGTS_PID_NULL;
}

bool probe_state_read(struct bytes bytes, struct stream_probe *ret_probe)
{
    struct stream_probe probe;

    if (bytes.len != sizeof probe || !flags_are_sound(bytes.data)) {
        return false;
    }
    memcpy(&probe, bytes.data, sizeof probe);
    if (!program_is_sound(&probe.program) || !pids_are_sound(&probe.pids) ||
        !point_is_sound(&probe.begin) || !point_is_sound(&probe.key) ||
        probe.carry_len >= sizeof probe.carry || probe.key_carry_len > sizeof probe.key_carry) {
        return false;
    }
    *ret_probe = probe;
    return true;
}
