/* When a connection counts as dead. Method: a story of looks, each with what the kernel says. */
#include "client/liveness.h"

#include <criterion/criterion.h>

enum { STALL_MS = 10000, PING_MS = 5000 };

static struct liveness fresh(uint32_t ping_interval_ms)
{
    struct liveness liveness;

    liveness_init(&liveness, STALL_MS, ping_interval_ms, 0);
    return liveness;
}

static enum liveness_verdict look(struct liveness *liveness, uint64_t now_ms, uint64_t sent,
                                  uint64_t unacknowledged, uint64_t received, bool waits)
{
    struct liveness_input input = {.now_ms = now_ms,
                                   .bytes_sent = sent,
                                   .bytes_unacknowledged = unacknowledged,
                                   .bytes_received = received,
                                   .send_waits = waits};

    return liveness_update(liveness, &input);
}

Test(liveness, silence_without_pings_is_no_fault)
{
    struct liveness liveness = fresh(0);

    cr_assert_eq(look(&liveness, 1000000, 0, 0, 0, false), LIVENESS_ALIVE);
    cr_assert_eq(liveness_wake_ms(&liveness), UINT64_MAX);
    cr_assert_not(liveness_wants_ping(&liveness, 1000000));
}

Test(liveness, a_peer_that_takes_nothing_is_dead_after_the_timeout)
{
    struct liveness liveness = fresh(0);

    cr_assert_eq(look(&liveness, 1000, 5000, 5000, 0, true), LIVENESS_ALIVE);
    cr_assert_eq(look(&liveness, 1000 + STALL_MS - 1, 5000, 5000, 0, true), LIVENESS_ALIVE);
    cr_assert_eq(look(&liveness, 1000 + STALL_MS, 5000, 5000, 0, true), LIVENESS_NO_PROGRESS);
}

Test(liveness, bytes_stuck_in_the_kernel_count_although_nothing_waits_here)
{
    struct liveness liveness = fresh(0);

    cr_assert_eq(look(&liveness, 1000, 100, 100, 0, false), LIVENESS_ALIVE);
    cr_assert_eq(look(&liveness, 1000 + STALL_MS, 100, 100, 0, false), LIVENESS_NO_PROGRESS);
}

Test(liveness, what_the_server_says_does_not_excuse_a_stalled_write)
{
    struct liveness liveness = fresh(0);

    look(&liveness, 1000, 5000, 5000, 0, true);
    cr_assert_eq(look(&liveness, 1000 + STALL_MS, 5000, 5000, 777777, true), LIVENESS_NO_PROGRESS);
}

Test(liveness, a_slow_link_that_moves_is_alive)
{
    struct liveness liveness = fresh(PING_MS);
    uint64_t now_ms = 0, acknowledged = 0;

    for (int i = 0; i < 100; i++) {
        now_ms += STALL_MS - 1;
        acknowledged++;
        cr_assert_eq(look(&liveness, now_ms, 1000000, 1000000 - acknowledged, 0, true),
                     LIVENESS_ALIVE);
    }
}

Test(liveness, a_ping_behind_a_backlog_is_not_due)
{
    struct liveness liveness = fresh(PING_MS);

    liveness_on_ping_begun(&liveness, 5000);
    liveness_on_ping_sent(&liveness, 100000);
    for (uint64_t now_ms = 6000, left = 90000; left > 0; now_ms += 9000, left -= 10000) {
        cr_assert_eq(look(&liveness, now_ms, 100000, left, 0, false), LIVENESS_ALIVE);
    }
}

Test(liveness, a_ping_that_arrived_wants_its_pong)
{
    struct liveness liveness = fresh(PING_MS);

    liveness_on_ping_begun(&liveness, 5000);
    liveness_on_ping_sent(&liveness, 50);
    cr_assert_eq(look(&liveness, 6000, 50, 0, 0, false), LIVENESS_ALIVE);
    cr_assert_eq(look(&liveness, 6000 + STALL_MS - 1, 50, 0, 0, false), LIVENESS_ALIVE);
    cr_assert_eq(look(&liveness, 6000 + STALL_MS, 50, 0, 0, false), LIVENESS_NO_PONG);
}

Test(liveness, a_hung_server_is_found_although_its_kernel_takes_data)
{
    struct liveness liveness = fresh(PING_MS);
    uint64_t sent = 50;
    enum liveness_verdict verdict = LIVENESS_ALIVE;

    liveness_on_ping_begun(&liveness, 5000);
    liveness_on_ping_sent(&liveness, sent);
    for (uint64_t now_ms = 6000; verdict == LIVENESS_ALIVE; now_ms += 1000) {
        sent += 1000;
        verdict = look(&liveness, now_ms, sent, 0, 0, false);
        cr_assert_leq(now_ms, 6000 + STALL_MS);
    }
    cr_assert_eq(verdict, LIVENESS_NO_PONG);
}

Test(liveness, data_received_excuses_a_late_pong)
{
    struct liveness liveness = fresh(PING_MS);

    liveness_on_ping_begun(&liveness, 5000);
    liveness_on_ping_sent(&liveness, 50);
    look(&liveness, 6000, 50, 0, 0, false);
    cr_assert_eq(look(&liveness, 15000, 50, 0, 1, false), LIVENESS_ALIVE);
    cr_assert_eq(look(&liveness, 15000 + STALL_MS - 1, 50, 0, 1, false), LIVENESS_ALIVE);
    cr_assert_eq(look(&liveness, 15000 + STALL_MS, 50, 0, 1, false), LIVENESS_NO_PONG);
}

Test(liveness, pings_at_the_interval_and_one_at_a_time)
{
    struct liveness liveness = fresh(PING_MS);

    cr_assert_not(liveness_wants_ping(&liveness, PING_MS - 1));
    cr_assert_eq(liveness_wake_ms(&liveness), PING_MS);
    cr_assert(liveness_wants_ping(&liveness, PING_MS));
    liveness_on_ping_begun(&liveness, PING_MS);
    cr_assert_not(liveness_wants_ping(&liveness, 3 * PING_MS));
    liveness_on_pong(&liveness);
    cr_assert_not(liveness_wants_ping(&liveness, 2 * PING_MS - 1));
    cr_assert(liveness_wants_ping(&liveness, 2 * PING_MS));
}

Test(liveness, looks_again_later_and_never_in_the_past)
{
    struct liveness liveness = fresh(0);

    look(&liveness, 1000, 10, 10, 0, false);
    for (uint64_t now_ms = 1000; now_ms < 1000 + STALL_MS;) {
        uint64_t wake_ms = liveness_wake_ms(&liveness);

        cr_assert_gt(wake_ms, now_ms);
        now_ms = wake_ms;
        look(&liveness, now_ms, 10, 10, 0, false);
    }
}
