#include "server/hub/v1/audience.h"

#include "base/attributes.h"
#include "base/check.h"
#include "server/hub/drop_policy.h"
#include "server/hub/topic.h"
#include "server/hub/v1/lease.h"

enum news {
    NEWS_COUNTS = 1u << 0,
    NEWS_KEY_JOINED = 1u << RELAY_V1_KEY_JOINED,
    NEWS_KEY_SKIPPED = 1u << RELAY_V1_KEY_SKIPPED,
    NEWS_KEY_ASKED = 1u << RELAY_V1_KEY_ASKED,
    NEWS_KEY = NEWS_KEY_JOINED | NEWS_KEY_SKIPPED | NEWS_KEY_ASKED,
};

bool audience_say(struct worker *worker, struct member *member,
                  const struct relay_v1_control *control)
{
    uint8_t payload[RELAY_V1_FIXED_MAX];
    size_t len = relay_v1_control_write(control, payload, sizeof payload);
    struct subscriber *subscriber = member->subscriber;
    struct message *message = NULL;

    if (drop_policy_waiting(&subscriber->queue, MESSAGE_NOTICE) < AUDIENCE_NOTICES_QUEUED_MAX) {
        message = message_create_notice(worker, MESSAGE_NOTICE, bytes_of(payload, len));
    }
    if (message == NULL) {
        counters_increment(&worker->counters, v1_notices_skipped);
        return false;
    }
    bool queued = drop_policy_push(subscriber, worker, member->bounds, &message->home_share);

    share_unref(worker, &message->home_share);
    if (queued) {
        subscriber->on_queued(subscriber);
    }
    return queued;
}

/* Others than itself. */
static uint32_t viewers_for(const struct topic *topic, const struct member *member)
{
    uint32_t viewers = atomic_load(&topic->audience.viewers);

    return member->can_read && viewers > 0 ? viewers - 1 : viewers;
}

static bool tell_viewers(struct worker *worker, struct topic *topic, struct member *member)
{
    uint32_t viewers = viewers_for(topic, member);
    const struct relay_v1_control control = {.kind = RELAY_V1_VIEWERS, .viewers = viewers};

    if (!member->can_write || (member->was_told && member->told_viewers == viewers)) {
        return true;
    }
    member->told_viewers = viewers;
    return audience_say(worker, member, &control);
}

static bool tell_live(struct worker *worker, struct topic *topic, struct member *member)
{
    uint32_t publishers = atomic_load(&topic->audience.publishers);
    const struct relay_v1_control control = {
        .kind = RELAY_V1_LIVE, .live = {.is_live = publishers > 0, .publishers = publishers}};

    if (!member->can_read || (member->was_told && member->told_publishers == publishers)) {
        return true;
    }
    member->told_publishers = publishers;
    return audience_say(worker, member, &control);
}

static bool tell_lease(struct worker *worker, struct topic *topic, struct member *member)
{
    if (member->claim == NULL) {
        return true;
    }
    enum relay_v1_lease_state state = lease_state(topic->lease, member->claim);
    const struct relay_v1_control control = {
        .kind = RELAY_V1_LEASE,
        .lease = {.state = state,
                  .refused = member->claim->refused,
                  .idle_ms = (uint32_t)topic->lease->idle_ms},
    };

    if (member->was_told && member->told_lease == state) {
        return true;
    }
    member->told_lease = state;
    return audience_say(worker, member, &control);
}

static bool tell_kept(struct worker *worker, struct member *member)
{
    member->keeps = member->keeps && !audience_say(worker, member, &member->kept);
    return !member->keeps;
}

/* False: some of it must be told again. */
static bool tell_member(struct worker *worker, struct topic *topic, struct member *member)
{
    if (member->is_held) {
        return false;
    }
    bool kept_told = tell_kept(worker, member);
    bool viewers_told = tell_viewers(worker, topic, member);
    bool live_told = tell_live(worker, topic, member);
    bool lease_told = tell_lease(worker, topic, member);

    member->was_told = viewers_told && live_told && lease_told;
    return member->was_told && kept_told;
}

static void tell_counts(struct audience_part *part)
{
    part->told_ms = part->worker->now_ms;
    part->pending &= ~(uint32_t)NEWS_COUNTS;
    list_for_each(node, &part->members)
    {
        struct member *member = container_of(node, struct member, node);

        if (!tell_member(part->worker, part->topic, member)) {
            part->pending |= NEWS_COUNTS;
        }
    }
}

static enum relay_v1_key_reason reason_of(uint32_t news)
{
    return news & NEWS_KEY_JOINED    ? RELAY_V1_KEY_JOINED
           : news & NEWS_KEY_SKIPPED ? RELAY_V1_KEY_SKIPPED
                                     : RELAY_V1_KEY_ASKED;
}

static void tell_key(struct audience_part *part)
{
    const struct relay_v1_control control = {.kind = RELAY_V1_KEY_PICTURE,
                                             .key_reason = reason_of(part->pending)};
    bool came = atomic_load(&part->topic->audience.key_ms) > part->key_wanted_ms;

    part->pending &= ~(uint32_t)NEWS_KEY;
    if (came) {
        return; /* while it waited */
    }
    part->key_told_ms = part->worker->now_ms;
    list_for_each(node, &part->members)
    {
        struct member *member = container_of(node, struct member, node);

        if (member->can_write && audience_say(part->worker, member, &control)) {
            counters_increment(&part->worker->counters, v1_keys_asked);
        }
    }
}

static uint64_t due_ms(const struct audience_part *part)
{
    uint64_t counts_ms =
        part->pending & NEWS_COUNTS ? part->told_ms + AUDIENCE_NEWS_MS : UINT64_MAX;
    uint64_t key_ms = part->pending & NEWS_KEY ? part->key_told_ms + AUDIENCE_KEY_MS : UINT64_MAX;
    uint64_t lease_ms = part->topic->lease == NULL ? UINT64_MAX : lease_due_ms(part->topic->lease);
    uint64_t first_ms = counts_ms < key_ms ? counts_ms : key_ms;

    return first_ms < lease_ms ? first_ms : lease_ms;
}

static void look(struct audience_part *part)
{
    uint64_t now_ms = part->worker->now_ms;

    if (list_empty(&part->members)) {
        part->pending = 0;
        return;
    }
    if ((part->pending & NEWS_COUNTS) != 0 && now_ms >= part->told_ms + AUDIENCE_NEWS_MS) {
        tell_counts(part);
    }
    if ((part->pending & NEWS_KEY) != 0 && now_ms >= part->key_told_ms + AUDIENCE_KEY_MS) {
        tell_key(part);
    }
    uint64_t next_ms = due_ms(part);

    if (next_ms != UINT64_MAX) {
        timer_arm(&part->worker->timers, &part->timer, next_ms);
    }
}

/* On the part's worker. What comes from here on is in another letter. */
static void run_news(struct worker *worker, struct call *call)
{
    struct audience_part *part = container_of(call, struct audience_part, call);
    struct topic *topic = part->topic;
    uint32_t news = atomic_exchange(&part->news, 0);

    if ((news & NEWS_KEY) != 0 && (part->pending & NEWS_KEY) == 0) {
        part->key_wanted_ms = worker->now_ms;
    }
    part->worker = worker;
    part->pending |= news;
    look(part);
    topic_unref(topic);
}

static void post(struct worker *worker, struct topic *topic, uint32_t news)
{
    uint64_t targets = atomic_load(&topic->audience.workers);

    for (; targets != 0; targets &= targets - 1) {
        unsigned index = (unsigned)__builtin_ctzll(targets);
        struct audience_part *part = &topic->parts[index].audience;

        if (atomic_fetch_or(&part->news, news) == 0) {
            topic_ref(topic);
            part->call.run = run_news;
            worker_call(worker, &worker->group->workers[index], &part->call);
        }
    }
}

static void on_due(struct timer *timer)
{
    struct audience_part *part = container_of(timer, struct audience_part, timer);
    struct lease *lease = part->topic->lease;

    if (lease != NULL && lease_look(lease, part->worker->now_ms)) {
        post(part->worker, part->topic, NEWS_COUNTS);
    }
    look(part);
}

void audience_note(struct worker *worker, struct topic *topic)
{
    post(worker, topic, NEWS_COUNTS);
}

void audience_add_viewer(struct worker *worker, struct topic *topic)
{
    atomic_fetch_add(&topic->audience.viewers, 1);
    post(worker, topic, NEWS_COUNTS);
}

void audience_remove_viewer(struct worker *worker, struct topic *topic)
{
    CHECK(atomic_fetch_sub(&topic->audience.viewers, 1) > 0);
    post(worker, topic, NEWS_COUNTS);
}

void audience_add_publisher(struct worker *worker, struct topic *topic)
{
    atomic_fetch_add(&topic->audience.publishers, 1);
    post(worker, topic, NEWS_COUNTS);
}

void audience_remove_publisher(struct worker *worker, struct topic *topic)
{
    CHECK(atomic_fetch_sub(&topic->audience.publishers, 1) > 0);
    post(worker, topic, NEWS_COUNTS);
}

static struct audience_part *enter(struct worker *worker, struct topic *topic,
                                   struct member *member)
{
    struct audience_part *part = &topic->parts[worker->index].audience;

    part->worker = worker;
    if (list_empty(&part->members)) {
        timer_init(&part->timer, on_due);
    }
    list_append(&part->members, &member->node);
    atomic_fetch_or(&topic->audience.workers, UINT64_C(1) << worker->index);
    return part;
}

void audience_return(struct worker *worker, struct topic *topic, struct member *member)
{
    struct audience_part *part = enter(worker, topic, member);

    CHECK(member->is_held);
    part->pending |= NEWS_COUNTS;
    look(part);
}

void audience_join(struct worker *worker, struct topic *topic, struct member *member)
{
    struct audience_part *part = enter(worker, topic, member);

    if (!tell_member(worker, topic, member)) {
        part->pending |= NEWS_COUNTS;
    }
    look(part); /* a lease may end in silence */
}

void audience_say_surely(struct worker *worker, struct topic *topic, struct member *member,
                         const struct relay_v1_control *control)
{
    struct audience_part *part = &topic->parts[worker->index].audience;

    member->kept = *control;
    member->keeps = true;
    if (!tell_kept(worker, member)) {
        part->pending |= NEWS_COUNTS;
        look(part);
    }
}

void audience_leave(struct worker *worker, struct topic *topic, struct member *member)
{
    struct audience_part *part = &topic->parts[worker->index].audience;

    CHECK(!list_empty(&member->node));
    list_remove(&member->node);
    if (list_empty(&part->members)) {
        atomic_fetch_and(&topic->audience.workers, ~(UINT64_C(1) << worker->index));
        timer_disarm(&part->timer);
        part->pending = 0;
    }
}

void audience_ask_key(struct worker *worker, struct topic *topic, enum relay_v1_key_reason reason)
{
    CHECK(reason != RELAY_V1_KEY_UNKNOWN);
    post(worker, topic, 1u << reason);
}
