/* The message memory that a topic uses on one worker: messages that its publishers are sending,
 * published ones that have not come home, and places in queues for those that are kept, or that
 * viewers begin with. It is charged to the topic that causes it, and a topic
 * may take more only while it has at most BUDGET_SHARE times what that leaves. So one that takes
 * all it can get leaves a third to the others, n that do so at once leave them 1/(2n+1), and a
 * topic that uses little is never refused for what others use. The share is 2 because a slow
 * viewer's queue holds up to what is left (hub/drop_policy.h), in blocks that are up to a third
 * larger: its oldest messages go before the topic is refused new ones. No memory of its own; owner
 * worker of the topic's part only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"

enum budget_limits {
    BUDGET_SHARE = 2,               /* a topic's, in what is left */
    BUDGET_FLOOR_BYTES = 64 * 1024, /* granted while there is any memory */
};

struct budget {
    size_t bytes; /* blocks of messages that are charged */
};

/* Whether the owner may take that many bytes more of those that are left to all. True also for more
 * than are left: that is no matter of shares. */
MUST_USE bool budget_may_take(const struct budget *budget, size_t bytes, size_t left);

/* Counts bytes that were taken; never refuses. */
void budget_charge(struct budget *budget, size_t bytes);

/* CHECKs that it was charged. */
void budget_credit(struct budget *budget, size_t bytes);
