#include "server/websocket/publish/recogniser.h"

#include "base/check.h"
#include "server/hub/message_part.h"
#include "wire/media/stream_probe.h"

_Static_assert((int)STREAM_SPLICE_SIZE_MAX <= (int)MESSAGE_SPLICE_BYTES_MAX, "all fit a message");
_Static_assert((int)SPLICE_GAP_SIZE_MAX <= (int)STREAM_SPLICE_SIZE_MAX, "one buffer for both");

static enum message_class class_of(enum media_kind kind)
{
    switch (kind) {
    case MEDIA_DATA:
        return MESSAGE_DATA;
    case MEDIA_JPEG:
        return MESSAGE_JPEG;
    case MEDIA_STREAM:
        return MESSAGE_STREAM;
    case MEDIA_DISPOSABLE:
        return MESSAGE_DISPOSABLE;
    case MEDIA_DEPENDENT:
        return MESSAGE_DEPENDENT;
    case MEDIA_KEY:
        return MESSAGE_KEY;
    }
    UNREACHABLE();
}

/* Without memory for its parts a message is sent as a whole only. Behind a picture that viewers may
 * not have, those start with packets that announce the gap. */
static void set_parts(const struct recogniser *recogniser, struct worker *worker,
                      struct message *message, const struct stream_mark *mark)
{
    uint8_t splice[STREAM_SPLICE_SIZE_MAX];
    uint32_t stop = (uint32_t)mark->end_offset;
    bool is_set;

    if (mark->kind == MEDIA_KEY) {
        size_t len = stream_probe_splice(recogniser->probe, splice);

        is_set = message_part_start_at(worker, message, (uint32_t)mark->key_offset,
                                       bytes_of(splice, len), stop);
    } else if (recogniser->follows_disposable && mark->starts_at_boundary) {
        size_t len = stream_probe_gap(recogniser->probe, splice);

        is_set = message_part_start_at(worker, message, 0, bytes_of(splice, len), stop);
    } else {
        is_set = message_part_stop_at(worker, message, stop);
    }
    if (!is_set) {
        counters_increment(&worker->counters, parts_skipped);
    }
}

static void apply(struct recogniser *recogniser, struct worker *worker, struct message *message,
                  const struct stream_mark *mark)
{
    message->class = class_of(mark->kind);
    if (message_is_stream(message)) {
        message->stream = recogniser->stream;
        message->starts_at_boundary = mark->starts_at_boundary;
        set_parts(recogniser, worker, message, mark);
        message->is_leading = mark->is_leading;
        recogniser->follows_disposable =
            mark->kind == MEDIA_DISPOSABLE || mark->is_leading ||
            (recogniser->follows_disposable && !mark->starts_at_boundary);
    }
}

static bool take_probe(struct recogniser *recogniser, struct worker *worker, struct topic *topic,
                       const struct stream_probe *probe)
{
    if (!topic_may_take(topic, worker, sizeof *probe)) {
        return false;
    }
    recogniser->probe = block_pool_take(&worker->blocks, sizeof *probe);
    if (recogniser->probe == NULL) {
        return false;
    }
    *recogniser->probe = *probe;
    topic_charge(topic, worker, sizeof *probe);
    return true;
}

void recogniser_restore(struct recogniser *recogniser, struct worker *worker, struct topic *topic,
                        const struct stream_probe *probe)
{
    CHECK(recogniser->probe == NULL);
    if (!take_probe(recogniser, worker, topic, probe)) {
        recogniser->stream = 0;
    }
}

/* A stream was found: it is followed from now on. */
static bool keep(struct recogniser *recogniser, struct worker *worker, struct topic *topic,
                 const struct stream_probe *found)
{
    if (!take_probe(recogniser, worker, topic, found)) {
        return false;
    }
    recogniser->stream = topic_next_stream(topic, worker);
    return true;
}

/* Most publishers send data: a probe that lives as long as this look finds out. A stream that there
 * is no memory for is data. */
static void look(struct recogniser *recogniser, struct worker *worker, struct message *message,
                 struct bytes payload)
{
    struct stream_probe probe;

    stream_probe_init(&probe);
    struct stream_mark mark = stream_probe_take(&probe, payload);

    if (!probe.is_stream || keep(recogniser, worker, message->topic, &probe)) {
        apply(recogniser, worker, message, &mark);
    } else {
        counters_increment(&worker->counters, parts_skipped);
    }
}

static void follow(struct recogniser *recogniser, struct worker *worker, struct message *message)
{
    struct bytes payload = bytes_of(message->payload, message->payload_len);
    uint32_t count = recogniser->messages++;

    if (recogniser->probe != NULL) {
        struct stream_mark mark = stream_probe_take(recogniser->probe, payload);

        apply(recogniser, worker, message, &mark);
    } else if (message->topic->policy == TOPIC_POLICY_VIDEO ||
               stream_probe_is_wanted(payload, count)) {
        look(recogniser, worker, message, payload);
    }
}

void recogniser_take(struct recogniser *recogniser, struct worker *worker, struct message *message)
{
    switch (message->topic->policy) {
    case TOPIC_POLICY_LATEST:
        message->class = MESSAGE_LATEST;
        return;
    case TOPIC_POLICY_DATA:
        return;
    case TOPIC_POLICY_AUTO:
    case TOPIC_POLICY_VIDEO:
        if (!message_is_text(message)) {
            follow(recogniser, worker, message);
        }
    }
}

void recogniser_deinit(struct recogniser *recogniser, struct worker *worker, struct topic *topic)
{
    if (recogniser->probe != NULL) {
        block_pool_put(&worker->blocks, recogniser->probe);
        topic_credit(topic, worker, sizeof *recogniser->probe);
        recogniser->probe = NULL;
    }
}
