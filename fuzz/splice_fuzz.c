/* splice_point_before, splice_write, splice_write_gap, and mpegts_pids_*: the input is a stream,
 * packet by packet. The splice consists of valid packets, from which a fresh reader learns the
 * tables and counters of the stream, and that no PES is incomplete. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "wire/media/splice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reader {
    struct mpegts_program program;
    struct mpegts_pids pids;
};

static void reader_init(struct reader *reader)
{
    mpegts_program_init(&reader->program);
    mpegts_pids_init(&reader->pids);
}

/* All packets must be valid where the relay wrote them. */
static void reader_take(struct reader *reader, struct bytes stream, bool must_parse)
{
    struct mpegts_findings findings = {0};

    for (; stream.len >= MPEGTS_PACKET_SIZE; stream = bytes_skip(stream, MPEGTS_PACKET_SIZE)) {
        struct mpegts_packet packet;
        int result = mpegts_packet_parse(bytes_of(stream.data, MPEGTS_PACKET_SIZE), &packet);

        CHECK(!must_parse || result == 0);
        CHECK(!must_parse || packet.discontinuity == (packet.payload.len == 0));
        if (result == 0) {
            mpegts_program_take(&reader->program, &packet, &findings);
            mpegts_pids_take(&reader->pids, &packet);
        }
    }
    CHECK(!must_parse || stream.len == 0);
}

static void table_compare(const struct mpegts_table *a, const struct mpegts_table *b)
{
    CHECK(bytes_equal(bytes_of(a->data, a->len), bytes_of(b->data, b->len)));
}

static void compare(const struct reader *stream, const struct reader *spliced)
{
    table_compare(&stream->program.association_table, &spliced->program.association_table);
    table_compare(&stream->program.map_table, &spliced->program.map_table);
    CHECK(stream->program.map_pid == spliced->program.map_pid);
    CHECK(mpegts_pids_are_closed(&spliced->pids, MPEGTS_PID_NULL));
    for (unsigned i = 0; i < stream->pids.count; i++) {
        const struct mpegts_pid *pid = &stream->pids.all[i];
        const struct mpegts_pid *other = mpegts_pids_find(&spliced->pids, pid->pid);

        CHECK(spliced->pids.count > MPEGTS_PIDS_MAX - 1 || other != NULL);
        CHECK(other == NULL || other->counter == pid->counter);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader stream, spliced;
    struct splice_point point;
    uint8_t out[SPLICE_SIZE_MAX];
    size_t len;

    reader_init(&stream);
    reader_take(&stream, bytes_of(data, size), false);
    if (stream.program.association_table.len == 0 || stream.program.map_table.len == 0) {
        return 0;
    }
    point = splice_point_before(&stream.pids, NULL);
    len = splice_write(&point, &stream.program, out);
    CHECK(len <= sizeof out);
    reader_init(&spliced);
    reader_take(&spliced, bytes_of(out, len), true);
    compare(&stream, &spliced);
    len = splice_write_gap(&point, out);
    CHECK(len == (size_t)point.count * MPEGTS_PACKET_SIZE && len <= SPLICE_GAP_SIZE_MAX);
    reader_take(&spliced, bytes_of(out, len), true);
    compare(&stream, &spliced);
    if (point.count > 0) { /* H.265 */
        point.ended_pid = point.pids[data[0] % point.count];
        point.stamps_len = data[0] % 3 * 5;
        reader_take(&spliced, bytes_of(out, splice_write(&point, &stream.program, out)), true);
        compare(&stream, &spliced);
    }
    return 0;
}
