/* A list of what one worker has for its part: the messages that wait on it and their topics, each
 * with a number. Made anew each time, in memory of its own; owner worker only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "server/hub/message.h"
#include "server/hub/send_queue.h"
#include "server/hub/topic.h"

struct live_census {
    const struct worker *worker;
    struct share **shares; /* this worker's, of the messages */
    struct topic **topics;
    uint32_t shares_count, shares_room;
    uint32_t topics_count, topics_room;
    bool has_failed; /* for want of memory */
};

void live_census_init(struct live_census *census, const struct worker *worker);
void live_census_deinit(struct live_census *census);

void live_census_add_topic(struct live_census *census, struct topic *topic);
/* All that waits in it, with the topics of its messages. */
void live_census_add_queue(struct live_census *census, const struct send_queue *queue);

/* The number of what was added. */
uint32_t live_census_topic(const struct live_census *census, const struct topic *topic);
uint32_t live_census_share(const struct live_census *census, const struct share *share);
