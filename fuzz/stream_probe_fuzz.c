/* stream_probe_init, _is_wanted, _take, _splice, _gap: the first byte chooses how the rest, a
 * stream, is cut into messages. Offsets lie within the message, at packets; a splice consists of
 * whole packets and the start of one. For whole packets, what is known of the stream in the end
 * does not depend on the cuts, and no boundary is found that a reader of single packets does not
 * find. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fuzz/split.h"
#include "wire/media/stream_probe.h"

enum { PACKETS_MAX = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    struct stream_probe probe;
    size_t taken; /* bytes of earlier messages */
    bool boundaries[PACKETS_MAX + 1];
};

static void check_splice(const struct run *run, const struct stream_mark *mark,
                         struct bytes message)
{
    uint8_t *out = malloc(STREAM_SPLICE_SIZE_MAX);
    size_t len, whole;

    CHECK(out != NULL);
    len = stream_probe_splice(&run->probe, out);
    CHECK(len <= STREAM_SPLICE_SIZE_MAX && len > mark->key_carry_len);
    whole = len - mark->key_carry_len;
    CHECK(mpegts_is_whole_packets(bytes_of(out, whole)));
    CHECK(mark->key_carry_len == 0 || mark->key_offset == 0);
    CHECK(mark->key_carry_len == 0 || out[whole] == MPEGTS_SYNC_BYTE);
    CHECK(mark->key_carry_len > 0 || message.data[mark->key_offset] == MPEGTS_SYNC_BYTE);
    free(out);
}

static void check_mark(const struct run *run, const struct stream_mark *mark, struct bytes message)
{
    CHECK(mark->end_offset <= message.len);
    CHECK(mark->key_carry_len <= MPEGTS_PACKET_SIZE);
    CHECK(mark->kind == MEDIA_KEY || (mark->key_offset == 0 && mark->key_carry_len == 0));
    CHECK(mark->kind != MEDIA_DISPOSABLE ||
          (mark->starts_at_boundary && mark->end_offset == message.len));
    CHECK(mark->kind >= MEDIA_STREAM || mark->end_offset == 0);
    CHECK(!mark->is_leading || (mark->starts_at_boundary && mark->kind != MEDIA_KEY));
    if (mark->starts_at_boundary) {
        uint8_t gap[SPLICE_GAP_SIZE_MAX];

        CHECK(stream_probe_gap(&run->probe, gap) % MPEGTS_PACKET_SIZE == 0);
    }
    if (mark->kind == MEDIA_KEY) {
        CHECK(mark->key_offset < message.len);
        check_splice(run, mark, message);
    }
}

/* Boundaries are looked up in what single packets gave, or noted as that. */
static void check_boundary(struct run *run, const struct run *single, size_t at)
{
    if (single != NULL) {
        CHECK(at % MPEGTS_PACKET_SIZE == 0 && single->boundaries[at / MPEGTS_PACKET_SIZE]);
    } else if (at % MPEGTS_PACKET_SIZE == 0) {
        run->boundaries[at / MPEGTS_PACKET_SIZE] = true;
    }
}

static void run_take(struct run *run, const struct run *single, struct bytes message)
{
    uint8_t *copy = malloc(message.len);
    /* Otherwise it is only known when the next packet of the open PES has come. */
    bool was_closed = mpegts_pids_are_closed(&run->probe.pids, MPEGTS_PID_NULL);
    struct stream_mark mark;

    CHECK(copy != NULL);
    memcpy(copy, message.data, message.len);
    mark = stream_probe_take(&run->probe, bytes_of(copy, message.len));
    check_mark(run, &mark, bytes_of(copy, message.len));
    if (mark.starts_at_boundary && (single == NULL || was_closed)) {
        check_boundary(run, single, run->taken);
    }
    if (mark.end_offset > 0) {
        check_boundary(run, single, run->taken + mark.end_offset);
    }
    run->taken += message.len;
    free(copy);
}

static void run_whole(struct run *run, const struct run *single, struct bytes stream,
                      struct split split, bool known)
{
    memset(run, 0, sizeof *run);
    stream_probe_init(&run->probe);
    run->probe.is_stream = run->probe.synced = known;
    while (stream.len > 0) {
        size_t len = MPEGTS_PACKET_SIZE;

        if (single != NULL || !known) {
            len = split_next(&split, stream.len);
            len *= split.state > SPLIT_SINGLE_BYTES ? 41 : 1; /* of several packets too */
        }
        len = len < stream.len ? len : stream.len;
        run_take(run, single, bytes_of(stream.data, len));
        stream = bytes_skip(stream, len);
    }
}

static void compare(const struct stream_probe *a, const struct stream_probe *b)
{
    CHECK(a->pids.count == b->pids.count && a->pids.packets == b->pids.packets);
    for (unsigned i = 0; i < a->pids.count; i++) {
        const struct mpegts_pid *left = &a->pids.all[i], *right = &b->pids.all[i];

        CHECK(left->pid == right->pid && left->counter == right->counter);
        CHECK(left->pes == right->pes && left->left == right->left);
    }
    CHECK(a->program.map_pid == b->program.map_pid);
    CHECK(a->program.video_pid == b->program.video_pid);
    CHECK(a->program.changes == b->program.changes);
    CHECK(a->carry_len == 0 && b->carry_len == 0 && a->synced && b->synced);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run *single = malloc(sizeof *single), *pieces = malloc(sizeof *pieces);
    struct split split = {.state = size > 0 ? data[0] : 0};
    struct bytes stream = bytes_skip(bytes_of(data, size), 1);

    CHECK(single != NULL && pieces != NULL);
    if (stream.len <= (size_t)PACKETS_MAX * MPEGTS_PACKET_SIZE) {
        run_whole(pieces, NULL, stream, split, false);
        if (mpegts_is_whole_packets(stream)) {
            run_whole(single, NULL, stream, split, true);
            run_whole(pieces, single, stream, split, true);
            compare(&single->probe, &pieces->probe);
        }
    }
    free(single);
    free(pieces);
    return 0;
}
