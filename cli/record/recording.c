#include "cli/record/recording.h"

#include "base/clock.h"
#include "base/log.h"

void recording_init(struct recording *recording, const char *pattern, uint64_t segment_ms)
{
    *recording = (struct recording){.pattern = pattern, .segment_ms = segment_ms};
    segment_init(&recording->segment);
    stream_probe_init(&recording->probe);
}

int recording_close_file(struct recording *recording)
{
    struct segment *segment = &recording->segment;
    bool was_open = segment_is_open(segment);
    int failed = segment_close(segment);

    recording->state = RECORDING_WAITING;
    if (was_open && failed == 0 && segment->end > 0) {
        recording->files++;
        log_info("file complete", LOG_TEXT("file", segment->path), LOG_INT("bytes", segment->end));
    }
    return failed;
}

static int file_open(struct recording *recording, bool of_stream, uint64_t now_ms)
{
    time_t now = (time_t)(clock_wall_ns() / 1000000000);
    int failed = segment_open(&recording->segment, recording->pattern, now);

    recording->opened_at_ms = now_ms;
    recording->of_stream = of_stream;
    return failed;
}

static bool is_due(const struct recording *recording, uint64_t now_ms)
{
    return recording->segment_ms > 0 && segment_is_open(&recording->segment) &&
           now_ms - recording->opened_at_ms >= recording->segment_ms;
}

/* Removes what is incomplete; goes on with the next key picture. */
static void cut(struct recording *recording)
{
    if (segment_is_open(&recording->segment)) {
        segment_cut(&recording->segment);
    }
    recording->state = RECORDING_WAITING;
}

void recording_gap(struct recording *recording)
{
    cut(recording);
    stream_probe_init(&recording->probe);
}

/* After a failed write, what was written since the last boundary is gone. */
static int stream_write(struct recording *recording, const void *data, size_t len)
{
    int failed = segment_write(&recording->segment, data, len);

    if (failed != 0) {
        recording->state = RECORDING_WAITING;
    }
    return failed;
}

static int key_write(struct recording *recording, const struct stream_mark *mark,
                     struct bytes message)
{
    uint8_t splice[STREAM_SPLICE_SIZE_MAX];
    size_t splice_len = stream_probe_splice(&recording->probe, splice);
    struct bytes rest = bytes_skip(message, mark->key_offset);
    int failed = stream_write(recording, splice, splice_len);
    uint64_t begin = recording->segment.len;

    failed = failed == 0 ? stream_write(recording, rest.data, rest.len) : failed;
    if (failed == 0) {
        recording->state = RECORDING_STARTED;
        recording->leaves_out = false;
        if (mark->end_offset > mark->key_offset) {
            segment_mark_end(&recording->segment, begin + mark->end_offset - mark->key_offset);
        }
    }
    return failed;
}

/* Ends the file in front of the key picture with which the next one begins. */
static int file_end(struct recording *recording, const struct stream_mark *mark,
                    struct bytes message)
{
    struct segment *segment = &recording->segment;
    int failed = 0;

    if (recording->state != RECORDING_WAITING && !recording->leaves_out && mark->key_at_boundary) {
        failed = stream_write(recording, message.data, mark->key_offset);
        if (failed == 0 && segment->len - segment->end >= mark->key_carry_len) {
            segment_mark_end(segment, segment->len - mark->key_carry_len);
        }
    }
    return failed != 0 ? failed : recording_close_file(recording);
}

static int stream_begin(struct recording *recording, const struct stream_mark *mark,
                        struct bytes message, uint64_t now_ms)
{
    int failed = 0;

    if (!segment_is_open(&recording->segment)) {
        failed = file_open(recording, true, now_ms);
    }
    return failed == 0 ? key_write(recording, mark, message) : failed;
}

/* True for a message that has leading pictures of the key picture with which recording began. */
static bool is_left_out(struct recording *recording, const struct stream_mark *mark)
{
    if (recording->state != RECORDING_STARTED) {
        return false;
    }
    if (mark->is_leading || (recording->leaves_out && !mark->starts_at_boundary)) {
        recording->leaves_out = true;
        return true;
    }
    return false;
}

static int stream_go_on(struct recording *recording, const struct stream_mark *mark,
                        struct bytes message)
{
    uint8_t gap[SPLICE_GAP_SIZE_MAX];
    int failed = 0;
    uint64_t begin;

    if (recording->leaves_out) {
        failed = stream_write(recording, gap, stream_probe_gap(&recording->probe, gap));
        recording->leaves_out = false;
    }
    begin = recording->segment.len;
    failed = failed == 0 ? stream_write(recording, message.data, message.len) : failed;
    if (failed != 0) {
        return failed;
    }
    if (mark->kind > MEDIA_STREAM) {
        recording->state = RECORDING_LIVE;
    }
    if (mark->starts_at_boundary || mark->end_offset > 0) {
        segment_mark_end(&recording->segment, begin + mark->end_offset);
    }
    return 0;
}

static int stream_take(struct recording *recording, const struct stream_mark *mark,
                       struct bytes message, uint64_t now_ms)
{
    bool is_key = mark->kind == MEDIA_KEY;
    int failed = 0;

    if (mark->has_gap) {
        cut(recording);
    }
    if (segment_is_open(&recording->segment) && !recording->of_stream) {
        failed = recording_close_file(recording);
    } else if (is_key && is_due(recording, now_ms)) {
        failed = file_end(recording, mark, message);
    }
    if (failed != 0) {
        return failed;
    }
    if (is_key && (recording->state == RECORDING_WAITING || recording->leaves_out)) {
        return stream_begin(recording, mark, message, now_ms);
    }
    if (recording->state == RECORDING_WAITING || is_left_out(recording, mark)) {
        return 0;
    }
    return stream_go_on(recording, mark, message);
}

static int jpeg_take(struct recording *recording, struct bytes message, uint64_t now_ms)
{
    struct segment *segment = &recording->segment;
    int failed = 0;

    if (is_due(recording, now_ms) || (segment_is_open(segment) && recording->of_stream)) {
        failed = recording_close_file(recording);
    }
    if (failed == 0 && !segment_is_open(segment)) {
        failed = file_open(recording, false, now_ms);
    }
    failed = failed == 0 ? segment_write(segment, message.data, message.len) : failed;
    if (failed == 0) {
        segment_mark_end(segment, segment->len);
    }
    return failed;
}

int recording_take(struct recording *recording, struct bytes message, uint64_t now_ms)
{
    struct stream_mark mark = stream_probe_take(&recording->probe, message);

    switch (mark.kind) {
    case MEDIA_DATA:
        return 0;
    case MEDIA_JPEG:
        return jpeg_take(recording, message, now_ms);
    case MEDIA_STREAM:
    case MEDIA_DISPOSABLE:
    case MEDIA_DEPENDENT:
    case MEDIA_KEY:
        return stream_take(recording, &mark, message, now_ms);
    }
    return 0;
}
