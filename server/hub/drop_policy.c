#include "server/hub/drop_policy.h"

#include "base/probe.h"
#include "server/hub/lag/video_policy.h"

/* One row for each class; enum lag_policy says what a slow viewer loses of it. */
static const struct rule {
    enum lag_policy policy;
    uint32_t wait_ms;     /* of LAG_POLICY_LATEST: then a newer one takes its place */
    bool is_urgent;       /* goes before waiting data: it must not wait for a slow viewer's */
    bool precedes_frames; /* no frame may overtake it, not even the Close */
} rules[MESSAGE_CLASS_COUNT] = {
    [MESSAGE_DATA] = {.policy = LAG_POLICY_DATA},
    [MESSAGE_STREAM] = {.policy = LAG_POLICY_VIDEO, .wait_ms = UINT32_MAX},
    [MESSAGE_KEY] = {.policy = LAG_POLICY_VIDEO, .wait_ms = UINT32_MAX},
    [MESSAGE_DEPENDENT] = {.policy = LAG_POLICY_VIDEO, .wait_ms = UINT32_MAX},
    [MESSAGE_DISPOSABLE] = {.policy = LAG_POLICY_VIDEO, .wait_ms = UINT32_MAX},
    [MESSAGE_JPEG] = {.policy = LAG_POLICY_LATEST, .wait_ms = PICTURE_WAIT_MS_MAX},
    [MESSAGE_LATEST] = {.policy = LAG_POLICY_LATEST},
    [MESSAGE_UNFRAMED] = {.policy = LAG_POLICY_NONE, .precedes_frames = true},
    [MESSAGE_PING] = {.policy = LAG_POLICY_NONE, .is_urgent = true},
    [MESSAGE_PONG] = {.policy = LAG_POLICY_NONE, .is_urgent = true},
    [MESSAGE_ANSWER] = {.policy = LAG_POLICY_NONE, .is_urgent = true},
    [MESSAGE_NOTICE] = {.policy = LAG_POLICY_NONE, .is_urgent = true},
    [MESSAGE_CLOSE] = {.policy = LAG_POLICY_NONE},
};

/* One viewer's queue with everything that decides about it. */
struct scene {
    struct subscriber *viewer;
    struct worker *worker;
    const struct send_queue_bounds *bounds;
};

static const struct rule *rule_at(const struct send_queue *queue, unsigned index)
{
    return &rules[send_queue_at(queue, index)->class];
}

/* The viewer may have asked for less than its class would get, and a stream may have nothing that
 * its policy needs. */
static enum lag_policy policy_of(const struct subscriber *viewer, const struct message *message)
{
    enum lag_policy policy = rules[message->class].policy;

    if (!message_is_stream(message) && message->class != MESSAGE_JPEG) {
        return policy;
    }
    switch (viewer->lag.recovery) {
    case LAG_RECOVER_KEYFRAME:
        return policy == LAG_POLICY_VIDEO && !video_policy_applies(viewer, message)
                   ? LAG_POLICY_DATA
                   : policy;
    case LAG_RECOVER_LATEST:
        return LAG_POLICY_LATEST;
    case LAG_RECOVER_NONE:
        return LAG_POLICY_DATA;
    }
    UNREACHABLE();
}

/* Index of the oldest entry of that policy from index on, or count. */
static unsigned next_of(const struct subscriber *viewer, enum lag_policy policy, unsigned index)
{
    const struct send_queue *queue = &viewer->queue;

    while (index < queue->count && policy_of(viewer, send_queue_at(queue, index)) != policy) {
        index++;
    }
    return index;
}

static unsigned oldest_of(const struct subscriber *viewer, enum lag_policy policy)
{
    return next_of(viewer, policy, send_queue_pinned(&viewer->queue));
}

static bool is_outlived(const struct scene *scene, unsigned index)
{
    return send_bounds_are_outlived(scene->bounds, &scene->viewer->lag,
                                    send_queue_entry(&scene->viewer->queue, index),
                                    scene->worker->now_ms);
}

static bool is_over(const struct scene *scene, const struct message *message)
{
    return send_bounds_are_over(&scene->viewer->queue, scene->worker, scene->bounds, message,
                                scene->bounds->messages_max);
}

static void drop(const struct scene *scene, enum lag_policy policy, unsigned index)
{
    send_queue_remove(&scene->viewer->queue, scene->worker, index);
    scene->viewer->lag.dropped[policy]++;
    PROBE3(drop, scene->viewer, (int)policy, scene->viewer->queue.count);
}

/* The newest message is always queued, even when nothing older can be dropped. */
static bool admit_data(const struct scene *scene, struct send_entry *entry)
{
    while (is_over(scene, entry->share->message)) {
        unsigned index = oldest_of(scene->viewer, LAG_POLICY_DATA);

        if (index == scene->viewer->queue.count) {
            break;
        }
        drop(scene, LAG_POLICY_DATA, index);
        counters_increment(&scene->worker->counters, messages_dropped_queue);
        topic_counts_add(scene->viewer->counts, dropped_data, 1);
    }
    return true;
}

static void drop_old_data(const struct scene *scene)
{
    const struct subscriber *viewer = scene->viewer;
    unsigned index = oldest_of(viewer, LAG_POLICY_DATA);

    while (index < viewer->queue.count && is_outlived(scene, index)) {
        drop(scene, LAG_POLICY_DATA, index);
        counters_increment(&scene->worker->counters, messages_dropped_age);
        topic_counts_add(scene->viewer->counts, dropped_data, 1);
        index = oldest_of(viewer, LAG_POLICY_DATA);
    }
}

static bool admit_video(const struct scene *scene, struct send_entry *entry)
{
    return video_policy_admit(scene->viewer, scene->worker, scene->bounds, entry);
}

static void drop_old_video(const struct scene *scene)
{
    video_policy_drop_old(scene->viewer, scene->worker, scene->bounds);
}

/* All but the newest so many. */
static void keep_newest(const struct scene *scene, unsigned keep)
{
    const struct subscriber *viewer = scene->viewer;
    unsigned left = 0;

    for (unsigned i = oldest_of(viewer, LAG_POLICY_LATEST); i < viewer->queue.count;
         i = next_of(viewer, LAG_POLICY_LATEST, i + 1)) {
        left++;
    }
    for (; left > keep; left--) {
        drop(scene, LAG_POLICY_LATEST, oldest_of(viewer, LAG_POLICY_LATEST));
        counters_increment(&scene->worker->counters, messages_dropped_latest);
        topic_counts_add(scene->viewer->counts, dropped_latest, 1);
    }
}

/* A viewer with no send in flight has taken all before, and gets a burst. */
static bool admit_latest(const struct scene *scene, struct send_entry *entry)
{
    const struct send_queue *queue = &scene->viewer->queue;
    unsigned index = oldest_of(scene->viewer, LAG_POLICY_LATEST);

    if (index < queue->count && send_queue_pinned(queue) > 0 &&
        send_entry_since_ms(send_queue_entry(queue, index)) + rule_at(queue, index)->wait_ms <=
            scene->worker->now_ms) {
        keep_newest(scene, 0);
    }
    if (is_over(scene, entry->share->message)) {
        keep_newest(scene, 0);
    }
    return true;
}

/* The newest is what there is to see, however old. */
static void drop_old_latest(const struct scene *scene)
{
    unsigned index = oldest_of(scene->viewer, LAG_POLICY_LATEST);

    if (index < scene->viewer->queue.count && is_outlived(scene, index)) {
        keep_newest(scene, 1);
    }
}

/* Regardless of a burst's backlog: a ping or Close that cannot be queued costs the viewer its
 * connection. */
static bool admit_control(const struct scene *scene, struct send_entry *entry)
{
    const struct send_queue *queue = &scene->viewer->queue;

    if (queue->count - send_queue_pinned(queue) <
        send_bounds_burst(scene->bounds) + SEND_QUEUE_CONTROL) {
        return true;
    }
    counters_increment(&scene->worker->counters, messages_dropped_queue);
    return false;
}

static const struct {
    /* Makes room for a new entry, and may change its part; false when it must not be queued. */
    bool (*admit)(const struct scene *scene, struct send_entry *entry);
    void (*drop_old)(const struct scene *scene);
} policies[LAG_POLICY_NONE + 1] = {
    [LAG_POLICY_DATA] = {admit_data, drop_old_data},
    [LAG_POLICY_VIDEO] = {admit_video, drop_old_video},
    [LAG_POLICY_LATEST] = {admit_latest, drop_old_latest},
    [LAG_POLICY_NONE] = {admit_control, NULL},
};

static uint64_t dropped(const struct subscriber *viewer)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < LAG_POLICY_COUNT; i++) {
        count += viewer->lag.dropped[i];
    }
    return count;
}

static void tell(struct subscriber *viewer, uint64_t dropped_before)
{
    if (viewer->on_dropped != NULL && dropped(viewer) != dropped_before) {
        viewer->on_dropped(viewer);
    }
}

/* Index of the next urgent entry: right after those in flight, the HTTP responses (no frame may
 * overtake the 101) and waiting urgent ones. */
static unsigned urgent_end(const struct send_queue *queue)
{
    unsigned index = send_queue_pinned(queue);

    while (index < queue->count &&
           (rule_at(queue, index)->is_urgent || rule_at(queue, index)->precedes_frames)) {
        index++;
    }
    return index;
}

bool drop_policy_push(struct subscriber *viewer, struct worker *worker,
                      const struct send_queue_bounds *bounds, struct share *share)
{
    return drop_policy_push_part(viewer, worker, bounds, share, MESSAGE_WHOLE);
}

bool drop_policy_push_part(struct subscriber *viewer, struct worker *worker,
                           const struct send_queue_bounds *bounds, struct share *share,
                           enum message_part part)
{
    const struct scene scene = {.viewer = viewer, .worker = worker, .bounds = bounds};
    struct send_queue *queue = &viewer->queue;
    struct send_entry entry = {.share = share, .part = (uint8_t)part};
    uint64_t dropped_before = dropped(viewer);
    bool is_admitted = policies[policy_of(viewer, share->message)].admit(&scene, &entry);

    tell(viewer, dropped_before);
    return is_admitted &&
           send_queue_insert(
               queue, worker,
               rules[share->message->class].is_urgent ? urgent_end(queue) : queue->count, entry);
}

/* The class is an urgent one. */
static unsigned count_waiting(const struct send_queue *queue, enum message_class class,
                              unsigned *ret_newest)
{
    unsigned count = 0;

    for (unsigned i = send_queue_pinned(queue); i < urgent_end(queue); i++) {
        if (send_queue_at(queue, i)->class == class) {
            *ret_newest = i;
            count++;
        }
    }
    return count;
}

unsigned drop_policy_waiting(const struct send_queue *queue, enum message_class class)
{
    unsigned newest = 0;

    return count_waiting(queue, class, &newest);
}

bool drop_policy_replace_answer(struct send_queue *queue, struct worker *worker,
                                struct share *share)
{
    unsigned newest = 0;

    if (count_waiting(queue, share->message->class, &newest) < ANSWERS_QUEUED_MAX) {
        return false;
    }
    send_queue_replace(queue, worker, newest, send_entry_of(share));
    return true;
}

void drop_policy_drop_old(struct subscriber *viewer, struct worker *worker,
                          const struct send_queue_bounds *bounds)
{
    const struct scene scene = {.viewer = viewer, .worker = worker, .bounds = bounds};
    uint64_t dropped_before = dropped(viewer);

    if (!send_bounds_may_be_outlived(bounds, &viewer->lag, &viewer->queue, worker->now_ms)) {
        return;
    }
    for (unsigned i = 0; i < LAG_POLICY_COUNT; i++) {
        policies[i].drop_old(&scene);
    }
    tell(viewer, dropped_before);
}

void drop_policy_drop_waiting(struct send_queue *queue, struct worker *worker)
{
    while (queue->count > send_queue_pinned(queue) &&
           !rule_at(queue, queue->count - 1u)->precedes_frames) {
        send_queue_remove(queue, worker, queue->count - 1u);
    }
}
