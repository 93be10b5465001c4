/* Looks at a relay, again and again: its state, its topics and, if wanted, its connections. A look
 * that failed leaves what the last one saw. Owner thread only; never blocks. */
#pragma once

#include "cli/top/admin/connections.h"
#include "cli/top/admin/fetch.h"
#include "cli/top/admin/rates.h"

enum sampler_limits { SAMPLER_STATE_SIZE = 32 };

enum sampler_step {
    SAMPLER_IDLE,
    SAMPLER_READY,
    SAMPLER_TOPICS,
    SAMPLER_CONNECTIONS,
};

struct sampler {
    const struct admin_address *address;
    enum sampler_step step;
    struct fetch fetch;
    bool wants_connections;

    /* The last look that went well. */
    char state[SAMPLER_STATE_SIZE]; /* "ready", "draining" */
    struct snapshot before, now;
    struct rates rates;
    struct connections connections;
};

void sampler_init(struct sampler *sampler, const struct admin_address *address);
void sampler_deinit(struct sampler *sampler);

/* Begins a look; sampler_advance may be called at once. */
void sampler_begin(struct sampler *sampler);

/* True while a look is under way. */
bool sampler_is_busy(const struct sampler *sampler);

/* PROGRESS_DONE, PROGRESS_FAILED: the look is over. */
MUST_USE enum progress sampler_advance(struct sampler *sampler, uint64_t now_ms,
                                       struct fault *fault);

/* The event that sampler_advance waits for; fd -1 when idle. */
struct pollfd sampler_pollfd(const struct sampler *sampler);
