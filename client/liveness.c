#include "client/liveness.h"

#include "base/awake_clock.h"
#include "base/check.h"

enum { LOOKS_PER_STALL = 4 };

void liveness_init(struct liveness *liveness, uint32_t stall_timeout_ms, uint32_t ping_interval_ms,
                   uint64_t now_ms)
{
    CHECK(stall_timeout_ms > 0);
    *liveness = (struct liveness){
        .stall_timeout_ms = stall_timeout_ms,
        .ping_interval_ms = ping_interval_ms,
        .progress_ms = now_ms,
        .looked_ms = now_ms,
        .received_ms = now_ms,
        .next_ping_ms = ping_interval_ms == 0 ? UINT64_MAX : now_ms + ping_interval_ms,
    };
}

static void note(struct liveness *liveness, const struct liveness_input *input)
{
    uint64_t acknowledged = input->bytes_sent - input->bytes_unacknowledged;

    if (input->bytes_unacknowledged > input->bytes_sent) {
        acknowledged = 0; /* the SYN and FIN count in SIOCOUTQ too */
    }
    bool waited = liveness->waits;

    liveness->looked_ms = input->now_ms;
    liveness->waits = input->send_waits || input->bytes_unacknowledged > 0;
    if (acknowledged > liveness->acknowledged || !waited || !liveness->waits) {
        liveness->acknowledged = acknowledged;
        liveness->progress_ms = input->now_ms;
    }
    if (input->bytes_received > liveness->received) {
        liveness->received = input->bytes_received;
        liveness->received_ms = input->now_ms;
    }
    if (liveness->ping_outstanding && liveness->ping_reached_ms == 0 &&
        acknowledged >= liveness->ping_end) {
        liveness->ping_reached_ms = input->now_ms;
    }
}

/* A ping in flight is a matter of write progress: on a slow link it queues behind data. Once it is
 * delivered, the pong is due; any other data that arrives meanwhile proves as much. */
static uint64_t pong_due_ms(const struct liveness *liveness)
{
    if (!liveness->ping_outstanding || liveness->ping_reached_ms == 0) {
        return UINT64_MAX;
    }
    uint64_t since_ms = liveness->ping_reached_ms > liveness->received_ms
                            ? liveness->ping_reached_ms
                            : liveness->received_ms;

    return since_ms + liveness->stall_timeout_ms;
}

enum liveness_verdict liveness_update(struct liveness *liveness, const struct liveness_input *input)
{
    note(liveness, input);
    if (liveness->waits && input->now_ms - liveness->progress_ms >= liveness->stall_timeout_ms) {
        return LIVENESS_NO_PROGRESS;
    }
    return input->now_ms >= pong_due_ms(liveness) ? LIVENESS_NO_PONG : LIVENESS_ALIVE;
}

bool liveness_wants_ping(const struct liveness *liveness, uint64_t now_ms)
{
    return !liveness->ping_outstanding && now_ms >= liveness->next_ping_ms;
}

void liveness_on_ping_begun(struct liveness *liveness, uint64_t now_ms)
{
    liveness->ping_outstanding = true;
    liveness->ping_reached_ms = 0;
    liveness->ping_end = UINT64_MAX;
    liveness->next_ping_ms = now_ms + liveness->ping_interval_ms;
}

void liveness_on_ping_sent(struct liveness *liveness, uint64_t bytes_sent)
{
    if (liveness->ping_outstanding && liveness->ping_end == UINT64_MAX) {
        liveness->ping_end = bytes_sent;
    }
}

void liveness_on_pong(struct liveness *liveness)
{
    liveness->ping_outstanding = false;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t liveness_wake_ms(const struct liveness *liveness)
{
    uint64_t wake_ms = pong_due_ms(liveness);

    if (!liveness->ping_outstanding) {
        wake_ms = earlier(wake_ms, liveness->next_ping_ms);
    }
    if (liveness->waits || liveness->ping_outstanding) {
        /* Acknowledgements do not wake us, and neither does the end of a freeze, so check several
         * times before reporting a stall. */
        uint64_t step_ms =
            earlier(liveness->stall_timeout_ms / LOOKS_PER_STALL + 1, AWAKE_CLOCK_STEP_MS);

        wake_ms = earlier(wake_ms, liveness->looked_ms + step_ms);
    }
    return wake_ms;
}
