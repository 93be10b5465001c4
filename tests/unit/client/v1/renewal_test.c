/* Goal: a newer token is looked for in time and not too often, and the one that the relay has is
 * never offered again. Method: chosen times; microseconds are counted, nothing waits. */
#include "client/v1/renewal.h"

#include <criterion/criterion.h>

#define S(seconds) (UINT64_C(1000000) * (seconds))

static struct renewal renewal;

static void stop(void)
{
    renewal_deinit(&renewal);
}

TestSuite(renewal, .fini = stop);

Test(renewal, is_never_due_before_the_end_is_known)
{
    cr_expect_not(renewal_is_due(&renewal, S(1000)));
    cr_expect_eq(renewal_due_us(&renewal), UINT64_MAX);
    renewal_hurry(&renewal, S(1000));
    cr_expect_not(renewal_is_due(&renewal, S(1000)));
}

Test(renewal, looks_in_the_last_minute_and_again)
{
    renewal_note_expiry(&renewal, S(10000), S(1000));
    cr_expect_eq(renewal_due_us(&renewal), S(10000 - RENEWAL_LEAD_S));
    cr_expect_not(renewal_is_due(&renewal, S(10000 - RENEWAL_LEAD_S) - 1));
    cr_expect(renewal_is_due(&renewal, S(10000 - RENEWAL_LEAD_S)));
    cr_expect_not(renewal_is_due(&renewal, S(10000 - RENEWAL_LEAD_S)), "the next look is later");
    cr_expect_eq(renewal_due_us(&renewal), S(10000 - RENEWAL_LEAD_S + 10));
}

Test(renewal, looks_several_times_at_a_short_lived_token)
{
    renewal_note_expiry(&renewal, S(1020), S(1000));
    cr_expect_eq(renewal_due_us(&renewal), S(1010));
    cr_expect(renewal_is_due(&renewal, S(1010)));
    cr_expect(renewal_due_us(&renewal) > S(1010) && renewal_due_us(&renewal) <= S(1012));
    renewal_note_expiry(&renewal, S(1020), S(1019));
    cr_expect(renewal_due_us(&renewal) <= S(1012), "the same end changes nothing");
    renewal_note_expiry(&renewal, S(900), S(1000));
    cr_expect_eq(renewal_due_us(&renewal), S(900), "it has passed: at once, and then each second");
    cr_expect(renewal_is_due(&renewal, S(1000)));
    cr_expect_eq(renewal_due_us(&renewal), S(1001));
}

Test(renewal, hurries_when_the_application_has_a_token)
{
    renewal_note_expiry(&renewal, S(10000), S(1000));
    renewal_hurry(&renewal, S(2000));
    cr_expect(renewal_is_due(&renewal, S(2000)));
}

Test(renewal, offers_again_what_the_relay_has_not_looked_at)
{
    renewal_note_token(&renewal, "a");
    renewal_forget_token(&renewal);
    cr_expect(renewal_is_new(&renewal, "a"));
    renewal_forget_token(&renewal);
    cr_expect(renewal_is_new(&renewal, "a"), "harmless");
}

Test(renewal, knows_the_token_that_the_relay_has)
{
    cr_expect(renewal_is_new(&renewal, "a"));
    renewal_note_token(&renewal, "a");
    cr_expect_not(renewal_is_new(&renewal, "a"));
    renewal_note_token(&renewal, "b");
    cr_expect(renewal_is_new(&renewal, "a"));
    renewal_deinit(&renewal);
    cr_expect(renewal_is_new(&renewal, "b"));
}
