#include "server/hub/lag/video_policy.h"

#include "base/check.h"
#include "base/probe.h"
#include "server/hub/lag/key_wait.h"

/* Entries of one stream among all that wait. */
struct view {
    struct subscriber *viewer;
    struct worker *worker;
    const struct send_queue_bounds *bounds;
    struct lag_stream *stream;
};

static bool is_of_stream(const struct view *view, unsigned index)
{
    const struct message *message = send_queue_at(&view->viewer->queue, index);

    return message_is_stream(message) && message->stream == view->stream->id;
}

/* Index of its next entry from index on, or count. */
static unsigned next_entry(const struct view *view, unsigned index)
{
    while (index < view->viewer->queue.count && !is_of_stream(view, index)) {
        index++;
    }
    return index;
}

static unsigned first_waiting(const struct view *view)
{
    return next_entry(view, send_queue_pinned(&view->viewer->queue));
}

static bool is_old(const struct view *view, unsigned index)
{
    return send_bounds_are_outlived(view->bounds, &view->viewer->lag,
                                    send_queue_entry(&view->viewer->queue, index),
                                    view->worker->now_ms);
}

static void put_part(const struct view *view, unsigned index, enum message_part part)
{
    const struct send_entry *entry = send_queue_entry(&view->viewer->queue, index);

    if (entry->part != part) {
        struct send_entry changed = *entry;

        changed.part = (uint8_t)part;
        send_queue_replace(&view->viewer->queue, view->worker, index, changed);
    }
}

/* Where the stream may end. */
struct cut {
    unsigned stop;  /* the entry within which or before which it does */
    unsigned first; /* from here on entries are not needed: stop, or the next one */
};

/* False when the rest of a picture that was begun is not here yet. */
static bool find_cut(const struct view *view, struct cut *ret_cut)
{
    const struct send_queue *queue = &view->viewer->queue;

    for (unsigned i = first_waiting(view); i < queue->count; i = next_entry(view, i + 1)) {
        const struct send_entry *entry = send_queue_entry(queue, i);

        if (entry->part == MESSAGE_START || entry->share->message->starts_at_boundary) {
            *ret_cut = (struct cut){.stop = i, .first = i};
            return true;
        }
        if (message_part_exists(entry->share->message, MESSAGE_STOP)) {
            *ret_cut = (struct cut){.stop = i, .first = next_entry(view, i + 1)};
            return true;
        }
    }
    return false;
}

static bool may_start(const struct message *message)
{
    return message->class == MESSAGE_KEY && message_part_exists(message, MESSAGE_START);
}

/* Index of the newest key picture behind entry index that is young enough, or count. */
static unsigned find_resume(const struct view *view, unsigned behind)
{
    const struct send_queue *queue = &view->viewer->queue;
    unsigned index = queue->count;

    while (index > behind + 1) {
        index--;
        if (is_of_stream(view, index) && may_start(send_queue_at(queue, index))) {
            return is_old(view, index) ? queue->count : index;
        }
    }
    return queue->count;
}

static void count_dropped(const struct view *view)
{
    view->viewer->lag.dropped[LAG_POLICY_VIDEO]++;
    counters_increment(&view->worker->counters, messages_dropped_video);
    PROBE3(drop, view->viewer, (int)LAG_POLICY_VIDEO, view->viewer->queue.count);
    topic_counts_add(view->viewer->counts, dropped_video, 1);
}

/* Drops the stream's entries from first up to end. Returns the index that end has then. */
static unsigned drop_range(const struct view *view, unsigned first, unsigned end)
{
    for (unsigned i = next_entry(view, first); i < end; i = next_entry(view, i)) {
        send_queue_remove(&view->viewer->queue, view->worker, i);
        count_dropped(view);
        end--;
    }
    return end;
}

/* Among those that wait behind the key picture at index. */
static void drop_leading(const struct view *view, unsigned index)
{
    const struct send_queue *queue = &view->viewer->queue;

    for (unsigned i = next_entry(view, index + 1); i < queue->count; i = next_entry(view, i)) {
        enum message_part part = (enum message_part)send_queue_entry(queue, i)->part;

        if (leading_admits(&view->stream->leading, send_queue_at(queue, i), &part)) {
            put_part(view, i, part);
            i++;
        } else {
            send_queue_remove(&view->viewer->queue, view->worker, i);
            count_dropped(view);
        }
    }
}

/* Its decoder need not show what is skipped. */
static void catch_up(const struct view *view)
{
    view->viewer->lag.behind_ms = 0;
    view->viewer->lag.skipped_ms = view->worker->now_ms;
}

/* Pictures that may need what was skipped may follow it. */
static void begin_at_key(const struct view *view)
{
    view->stream->state = LAG_STREAM_LIVE;
    view->stream->leading = LEADING_POSSIBLE;
    view->stream->cut_ms = view->worker->now_ms;
}

static void await_key(const struct view *view)
{
    struct subscriber *viewer = view->viewer;

    catch_up(view);
    if (viewer->on_wants_key != NULL) {
        viewer->on_wants_key(viewer, RELAY_V1_KEY_SKIPPED);
    }
    view->stream->state = LAG_STREAM_AWAITS_KEY;
    view->stream->cut_ms = view->worker->now_ms;
}

static void skip(const struct view *view, const struct cut *cut, unsigned resume)
{
    bool resumes = resume < view->viewer->queue.count;

    if (cut->stop != cut->first) {
        put_part(view, cut->stop, MESSAGE_STOP);
    }
    resume = drop_range(view, cut->first, resume);
    if (resumes) {
        put_part(view, resume, MESSAGE_START);
        begin_at_key(view);
        catch_up(view);
        drop_leading(view, resume);
    } else {
        await_key(view);
    }
}

/* There must be room, whatever a decoder makes of it: a picture is larger than the bounds, or the
 * stream has no ends. */
static void skip_all(const struct view *view)
{
    drop_range(view, first_waiting(view), view->viewer->queue.count);
    await_key(view);
}

/* Each is a picture that no other needs. What follows one begins behind a packet that announces the
 * gap in the counters (MESSAGE_START), so the last one stays until that is here. */
static void thin(const struct view *view)
{
    const struct send_queue *queue = &view->viewer->queue;
    unsigned index = first_waiting(view);

    while (index < queue->count) {
        const struct message *message = send_queue_at(queue, index);
        unsigned next = next_entry(view, index + 1);

        if (message->class != MESSAGE_DISPOSABLE || next == queue->count ||
            !message_part_exists(send_queue_at(queue, next), MESSAGE_START)) {
            index = next;
            continue;
        }
        put_part(view, next, MESSAGE_START);
        send_queue_remove(&view->viewer->queue, view->worker, index);
        count_dropped(view);
        index = next - 1;
    }
}

static void make_room(const struct view *view)
{
    struct cut cut;

    if (find_cut(view, &cut) && cut.first < view->viewer->queue.count) {
        skip(view, &cut, find_resume(view, cut.first));
    } else {
        skip_all(view);
    }
}

static bool is_late(const struct view *view)
{
    unsigned first = first_waiting(view);

    return first < view->viewer->queue.count &&
           send_bounds_are_half_outlived(view->bounds, &view->viewer->lag,
                                         send_queue_entry(&view->viewer->queue, first),
                                         view->worker->now_ms);
}

static void skip_old(const struct view *view)
{
    struct cut cut;

    if (is_late(view)) {
        thin(view);
    }
    unsigned first = first_waiting(view);

    if (first == view->viewer->queue.count || !is_old(view, first)) {
        return;
    }
    if (!find_cut(view, &cut)) {
        view->stream->state = LAG_STREAM_ENDING;
    } else if (is_old(view, cut.stop)) {
        skip(view, &cut, find_resume(view, cut.stop));
    }
}

/* The rest of what was begun, up to where a picture is whole. */
static bool admit_end(const struct view *view, struct send_entry *entry)
{
    const struct message *message = entry->share->message;

    if (message->class == MESSAGE_KEY) {
        view->stream->state = LAG_STREAM_LIVE; /* nothing was dropped before it */
        return true;
    }
    if (message->starts_at_boundary) {
        await_key(view);
        return false;
    }
    if (message_part_exists(message, MESSAGE_STOP)) {
        entry->part = MESSAGE_STOP;
        await_key(view);
    }
    return true;
}

static bool has_waited(const struct view *view, const struct message *message)
{
    return key_wait_is_over(message, view->stream->cut_ms, view->worker->now_ms);
}

static bool admit_key(const struct view *view, struct send_entry *entry)
{
    const struct message *message = entry->share->message;

    if (may_start(message)) {
        entry->part = MESSAGE_START;
        begin_at_key(view);
        return true;
    }
    if (has_waited(view, message)) {
        view->stream->state = LAG_STREAM_LIVE;
        view->stream->has_keys = false;
        return true;
    }
    return false;
}

/* A viewer that starts comes with its part (hub/stream_join.h). */
static bool admit_live(const struct view *view, struct send_entry *entry)
{
    const struct message *message = entry->share->message;
    enum message_part part = (enum message_part)entry->part;

    if (part == MESSAGE_START) {
        begin_at_key(view);
        return true;
    }
    if (!leading_admits(&view->stream->leading, message, &part)) {
        if (!has_waited(view, message)) {
            return false;
        }
        view->stream->leading = LEADING_NONE;
        part = message_part_exists(message, MESSAGE_START) ? MESSAGE_START : MESSAGE_WHOLE;
    }
    entry->part = (uint8_t)part;
    return true;
}

static bool admit_part(const struct view *view, struct send_entry *entry)
{
    switch (view->stream->state) {
    case LAG_STREAM_LIVE:
        return admit_live(view, entry);
    case LAG_STREAM_ENDING:
        return admit_end(view, entry);
    case LAG_STREAM_AWAITS_KEY:
        return admit_key(view, entry);
    }
    UNREACHABLE();
}

static struct lag_stream *find_stream(struct lag *lag, uint32_t id)
{
    for (unsigned i = 0; i < LAG_STREAMS_MAX; i++) {
        if (lag->streams[i].id == id) {
            return &lag->streams[i];
        }
    }
    struct lag_stream *stream = &lag->streams[lag->stream_next];

    lag->stream_next = (uint8_t)((lag->stream_next + 1u) % LAG_STREAMS_MAX);
    *stream = (struct lag_stream){.id = id};
    return stream;
}

bool video_policy_applies(const struct subscriber *viewer, const struct message *message)
{
    if (!message_is_stream(message) || viewer->lag.recovery != LAG_RECOVER_KEYFRAME) {
        return false;
    }
    for (unsigned i = 0; i < LAG_STREAMS_MAX; i++) {
        if (viewer->lag.streams[i].id == message->stream) {
            return viewer->lag.streams[i].has_keys || may_start(message);
        }
    }
    return may_start(message);
}

bool video_policy_admit(struct subscriber *viewer, struct worker *worker,
                        const struct send_queue_bounds *bounds, struct send_entry *entry)
{
    const struct message *message = entry->share->message;
    const struct view view = {.viewer = viewer,
                              .worker = worker,
                              .bounds = bounds,
                              .stream = find_stream(&viewer->lag, message->stream)};

    if (send_queue_empty(&viewer->queue)) {
        viewer->lag.begins_until_ms = 0;
    }
    if (send_bounds_are_over(&viewer->queue, worker, bounds, message, SEND_BURST_MAX)) {
        thin(&view);
    }
    if (send_bounds_are_over(&viewer->queue, worker, bounds, message, SEND_BURST_MAX)) {
        make_room(&view);
    }
    if (!admit_part(&view, entry)) {
        count_dropped(&view);
        return false;
    }
    view.stream->has_keys |= may_start(message);
    return true;
}

void video_policy_begin(struct subscriber *viewer, const struct message *key)
{
    find_stream(&viewer->lag, key->stream)->has_keys = true;
}

void video_policy_drop_old(struct subscriber *viewer, struct worker *worker,
                           const struct send_queue_bounds *bounds)
{
    for (unsigned i = 0; i < LAG_STREAMS_MAX; i++) {
        struct lag_stream *stream = &viewer->lag.streams[i];
        const struct view view = {
            .viewer = viewer, .worker = worker, .bounds = bounds, .stream = stream};

        if (stream->has_keys && stream->state == LAG_STREAM_LIVE) {
            skip_old(&view);
        }
    }
}
