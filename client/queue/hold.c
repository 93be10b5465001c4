#include "client/queue/hold.h"

#include "base/check.h"

#define NS_PER_S UINT64_C(1000000000)

void hold_init(struct hold *hold, const struct hold_limits *limits)
{
    *hold = (struct hold){.limits = *limits, .watched = true};
}

static struct ring_message *take_first(struct hold *hold)
{
    struct ring_message *message = hold->first;

    CHECK(hold->count > 0);
    hold->first = message->next;
    hold->last = hold->first == NULL ? NULL : hold->last;
    message->next = NULL;
    hold->count--;
    hold->bytes -= message->len;
    return message;
}

static void drop(struct hold *hold, struct ring_message *message)
{
    hold->dropped_messages++;
    hold->dropped_bytes += message->len;
    ring_message_destroy(message);
}

void hold_flush(struct hold *hold)
{
    while (hold->count > 0) {
        drop(hold, take_first(hold));
    }
}

void hold_deinit(struct hold *hold)
{
    hold_flush(hold);
}

void hold_set_limits(struct hold *hold, const struct hold_limits *limits)
{
    hold->limits = *limits;
}

static void append(struct hold *hold, struct ring_message *message)
{
    if (hold->last == NULL) {
        hold->first = message;
    } else {
        hold->last->next = message;
    }
    hold->last = message;
    hold->count++;
    hold->bytes += message->len;
}

/* Messages that depend on a random access are of no use without it. */
static void drop_old(struct hold *hold, uint64_t now_ns)
{
    if (hold->count > 0 && now_ns > hold->first->sent_ns + hold->limits.age_max_ns) {
        hold_flush(hold);
    }
}

static void keep(struct hold *hold, struct ring_message *message, uint64_t now_ns)
{
    drop_old(hold, now_ns);
    if (message->random_access) {
        hold_flush(hold);
    }
    if (hold->count > 0 && (hold->bytes + message->len > hold->limits.bytes_max ||
                            hold->count == hold->limits.messages_max)) {
        hold_flush(hold);
    }
    if (hold->limits.age_max_ns == 0 || message->len > hold->limits.bytes_max ||
        (hold->count == 0 && !message->random_access)) {
        drop(hold, message);
        return;
    }
    append(hold, message);
}

bool hold_pass(struct hold *hold, struct ring_message *message, uint64_t now_ns)
{
    if (!hold->watched) {
        keep(hold, message, now_ns);
        return false;
    }
    if (hold->awaits_random_access && !message->random_access &&
        now_ns < hold->awaits_since_ns + HOLD_WAIT_S * NS_PER_S) {
        drop(hold, message);
        return false;
    }
    hold->awaits_random_access = false;
    return true;
}

void hold_await(struct hold *hold, uint64_t now_ns)
{
    hold->awaits_random_access = true;
    hold->awaits_since_ns = now_ns;
    hold->asked_ns = now_ns;
}

bool hold_asks_again(struct hold *hold, uint64_t now_ns)
{
    bool asks = hold->watched && hold->awaits_random_access &&
                now_ns >= hold->asked_ns + HOLD_ASK_S * NS_PER_S;

    hold->asked_ns = asks ? now_ns : hold->asked_ns;
    return asks;
}

bool hold_watch(struct hold *hold, bool watched, uint64_t now_ns)
{
    bool begins = watched && !hold->watched;

    hold->watched = watched;
    if (begins) {
        drop_old(hold, now_ns);
        hold->awaits_random_access = false;
        if (hold->count == 0) {
            hold_await(hold, now_ns);
        }
    }
    return begins && hold->awaits_random_access;
}

struct ring_message *hold_take(struct hold *hold)
{
    return hold->watched && hold->count > 0 ? take_first(hold) : NULL;
}
