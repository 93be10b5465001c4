#include "server/handover/live/live_census.h"

#include <stdlib.h>

#include "base/check.h"

enum { ROOM_MIN = 64 };

void live_census_init(struct live_census *census, const struct worker *worker)
{
    *census = (struct live_census){.worker = worker};
}

void live_census_deinit(struct live_census *census)
{
    free(census->shares);
    free(census->topics);
}

/* The same pointers, with room for one more; NULL: no memory. */
static void *make_room(struct live_census *census, void *pointers, uint32_t count, uint32_t *room)
{
    uint32_t more = *room == 0 ? ROOM_MIN : *room * 2;

    if (count < *room) {
        return pointers;
    }
    void *grown = reallocarray(pointers, more, sizeof(void *));

    if (grown == NULL) {
        census->has_failed = true;
        return NULL;
    }
    *room = more;
    return grown;
}

/* The owner keeps its number; it is that of an earlier census unless the place says so, too. */
static bool has_topic(const struct live_census *census, const struct topic *topic)
{
    uint32_t number = topic->parts[census->worker->index].listed;

    return number < census->topics_count && census->topics[number] == topic;
}

static bool has_share(const struct live_census *census, const struct share *share)
{
    return share->listed < census->shares_count && census->shares[share->listed] == share;
}

void live_census_add_topic(struct live_census *census, struct topic *topic)
{
    if (has_topic(census, topic)) {
        return;
    }
    struct topic **topics =
        make_room(census, census->topics, census->topics_count, &census->topics_room);

    if (topics != NULL) {
        topic->parts[census->worker->index].listed = census->topics_count;
        topics[census->topics_count++] = topic;
        census->topics = topics;
    }
}

static void add_share(struct live_census *census, struct share *share)
{
    if (has_share(census, share)) {
        return;
    }
    struct share **shares =
        make_room(census, census->shares, census->shares_count, &census->shares_room);

    if (shares != NULL) {
        share->listed = census->shares_count & SHARE_LISTED_MAX;
        shares[census->shares_count++] = share;
        census->shares = shares;
    }
}

void live_census_add_queue(struct live_census *census, const struct send_queue *queue)
{
    for (unsigned i = 0; i < queue->count; i++) {
        struct share *share = send_queue_entry(queue, i)->share;

        if (share->message->topic != NULL) {
            live_census_add_topic(census, share->message->topic);
        }
        add_share(census, share);
    }
}

uint32_t live_census_topic(const struct live_census *census, const struct topic *topic)
{
    CHECK(has_topic(census, topic));
    return topic->parts[census->worker->index].listed;
}

uint32_t live_census_share(const struct live_census *census, const struct share *share)
{
    CHECK(has_share(census, share));
    return share->listed;
}
