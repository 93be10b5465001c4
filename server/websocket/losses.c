#include "server/websocket/losses.h"

#include "server/websocket/deadlines.h"
#include "server/websocket/phase_websocket.h"
#include "server/websocket/websocket_log.h"

static void count(struct losses *losses, uint64_t lost, uint64_t now_ms)
{
    if (losses->began_ms == 0 || now_ms >= losses->began_ms + LOSSES_WINDOW_MS) {
        losses->began_ms = now_ms;
        losses->before = losses->seen;
    }
    losses->seen = lost;
}

void losses_on_dropped(struct subscriber *subscriber)
{
    struct conn *conn = container_of(subscriber, struct conn, subscriber);
    struct losses *losses = &phase_websocket_of(conn)->losses;
    uint64_t lost_max = (uint64_t)conn->table->shared->config->data_losses_max;

    websocket_log_slow(subscriber);
    count(losses, subscriber->lag.dropped[LAG_POLICY_DATA], conn->worker->now_ms);
    if (lost_max > 0 && !losses->are_too_many && losses->seen - losses->before > lost_max) {
        losses->are_too_many = true;
        deadlines_hasten(conn);
    }
}
