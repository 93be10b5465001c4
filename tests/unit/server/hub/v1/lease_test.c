/* Goal: one booking at a time has the lease, the first that sends; it passes on when its last
 * connection goes, after silence, or when it is given back, first to the one that asked.
 * Method: claims by hand at times by hand. */
#include "server/hub/v1/lease.h"

#include <criterion/criterion.h>

#include "base/check.h"

enum { IDLE_MS = 1000 };

static struct lease *lease;
static struct lease_claim ann, ann_again, bob, cem;
static bool changed;

static void open_lease(void)
{
    lease = lease_create(IDLE_MS);
    CHECK(lease != NULL);
    ann = ann_again = (struct lease_claim){.key = 1};
    bob = (struct lease_claim){.key = 2};
    cem = (struct lease_claim){.key = 3};
}

static void close_lease(void)
{
    lease_destroy(lease);
}

TestSuite(lease, .init = open_lease, .fini = close_lease);

static bool use(struct lease_claim *claim, uint64_t now_ms)
{
    return lease_use(lease, claim, now_ms, &changed);
}

Test(lease, the_first_that_sends_has_it)
{
    cr_assert_eq(lease_state(lease, &ann), RELAY_V1_LEASE_FREE);
    cr_assert(use(&ann, 5));
    cr_assert(changed);
    cr_assert(use(&ann, 6));
    cr_assert_not(changed);
    cr_assert_not(use(&bob, 7));
    cr_assert_not(changed);
    cr_assert_eq(bob.refused, 1);
    cr_assert(use(&ann_again, 8), "another connection of the same booking");
    cr_assert_eq(lease_state(lease, &ann), RELAY_V1_LEASE_YOURS);
    cr_assert_eq(lease_state(lease, &bob), RELAY_V1_LEASE_TAKEN);
}

Test(lease, goes_with_the_last_connection_that_sent)
{
    cr_assert(use(&ann, 5) && use(&ann_again, 5));
    cr_assert_not(lease_leave(lease, &ann, 6));
    cr_assert_not(use(&bob, 7));
    cr_assert(lease_leave(lease, &ann_again, 8));
    cr_assert(use(&bob, 9));
    cr_assert(changed);
    cr_assert_not(lease_leave(lease, &cem, 10), "it had nothing");
}

Test(lease, goes_after_silence)
{
    cr_assert(use(&ann, 5));
    cr_assert_eq(lease_due_ms(lease), 5 + IDLE_MS);
    cr_assert_not(lease_look(lease, 4 + IDLE_MS));
    cr_assert_not(use(&bob, 4 + IDLE_MS));
    cr_assert(use(&ann, 4 + IDLE_MS));
    cr_assert_not(use(&bob, 5 + IDLE_MS));
    cr_assert(use(&bob, 4 + 2 * IDLE_MS));
    cr_assert(changed);
    cr_assert_not(use(&ann, 5 + 2 * IDLE_MS));
    cr_assert(lease_look(lease, 4 + 3 * IDLE_MS));
    cr_assert_eq(lease_state(lease, &bob), RELAY_V1_LEASE_FREE);
    cr_assert_eq(lease_due_ms(lease), UINT64_MAX);
    lease_leave(lease, &bob, 5 + 3 * IDLE_MS);
    cr_assert(use(&ann, 6 + 3 * IDLE_MS), "an end of the old holder changes nothing");
}

Test(lease, a_holder_that_was_silent_goes_on_where_no_other_came)
{
    cr_assert(use(&ann, 5));
    cr_assert(use(&ann, 5 + 10 * IDLE_MS));
    cr_assert_eq(lease_state(lease, &ann), RELAY_V1_LEASE_YOURS);
}

Test(lease, is_handed_to_the_first_that_asked)
{
    cr_assert(use(&ann, 5));
    cr_assert(lease_request(lease, &bob, 6));
    cr_assert_not(lease_request(lease, &cem, 7));
    cr_assert_eq(lease_state(lease, &ann), RELAY_V1_LEASE_WANTED);
    cr_assert_not(lease_give(lease, &cem, 8), "it has none to give");
    cr_assert(lease_give(lease, &ann, 9));
    cr_assert_eq(lease_state(lease, &bob), RELAY_V1_LEASE_YOURS);
    cr_assert_not(use(&ann, 10));
    cr_assert(use(&bob, 11));
    cr_assert(lease_give(lease, &bob, 12));
    cr_assert_eq(lease_state(lease, &cem), RELAY_V1_LEASE_FREE);
    cr_assert(lease_request(lease, &cem, 13), "a free one is given at once");
    cr_assert_eq(lease_state(lease, &cem), RELAY_V1_LEASE_YOURS);
    cr_assert(lease_leave(lease, &cem, 14), "though it has sent nothing");
    cr_assert_eq(lease_state(lease, &cem), RELAY_V1_LEASE_FREE);
}

Test(lease, one_that_asked_and_went_does_not_get_it)
{
    cr_assert(use(&ann, 5));
    cr_assert(lease_request(lease, &bob, 6));
    cr_assert(lease_leave(lease, &bob, 7));
    cr_assert(lease_give(lease, &ann, 8));
    cr_assert_eq(lease_state(lease, &bob), RELAY_V1_LEASE_FREE);
}

Test(lease, a_wish_is_that_of_one_connection)
{
    cr_assert(use(&bob, 5));
    cr_assert(lease_request(lease, &ann, 6));
    cr_assert(lease_give(lease, &bob, 7));
    cr_assert_not(lease_leave(lease, &ann_again, 8), "it neither asked nor sent");
    cr_assert_eq(lease_state(lease, &ann), RELAY_V1_LEASE_YOURS);
    cr_assert(lease_give(lease, &ann, 9));
    cr_assert(use(&bob, 10));
    cr_assert(lease_request(lease, &ann_again, 11));
    cr_assert_not(lease_leave(lease, &ann, 12), "its own wish was granted before");
    cr_assert(lease_give(lease, &bob, 13));
    cr_assert_eq(lease_state(lease, &ann_again), RELAY_V1_LEASE_YOURS);
    cr_assert(lease_leave(lease, &ann_again, 14));
    cr_assert_eq(lease_state(lease, &ann_again), RELAY_V1_LEASE_FREE);
}

Test(lease, without_a_time_silence_does_not_matter)
{
    lease->idle_ms = 0;
    cr_assert(use(&ann, 5));
    cr_assert_eq(lease_due_ms(lease), UINT64_MAX);
    cr_assert_not(lease_look(lease, UINT64_MAX - 1));
    cr_assert_not(use(&bob, UINT64_MAX - 1));
}
