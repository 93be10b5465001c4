/* mpegts_program_init, _take, and through them video_probe_*: the stream, packet by packet. The
 * findings are consistent, and a table with a wrong CRC never changes them. */
#include <stdint.h>

#include "base/check.h"
#include "wire/media/mpegts_program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct mpegts_program *program, const struct mpegts_findings *findings)
{
    CHECK(program->map_pid <= MPEGTS_PID_NULL && program->video_pid <= MPEGTS_PID_NULL);
    CHECK(program->association.len <= MPEGTS_SECTION_SIZE);
    CHECK(program->map.len <= MPEGTS_SECTION_SIZE);
    CHECK(program->video_pid == MPEGTS_PID_NULL || program->video == MPEGTS_VIDEO_PRESENT);
    CHECK(findings->key || !findings->without_parameters);
    CHECK(!findings->key || program->video_pid != MPEGTS_PID_NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mpegts_program program;

    mpegts_program_init(&program);
    for (struct bytes rest = bytes_of(data, size); rest.len >= MPEGTS_PACKET_SIZE;
         rest = bytes_skip(rest, MPEGTS_PACKET_SIZE)) {
        struct mpegts_findings findings = {0};
        struct mpegts_packet packet;

        if (mpegts_packet_parse(bytes_of(rest.data, MPEGTS_PACKET_SIZE), &packet) == 0) {
            mpegts_program_take(&program, &packet, &findings);
            check(&program, &findings);
        }
    }
    return 0;
}
