/* Goal: a failed CHECK ends the program at once, in every build type, and a true one does nothing.
 */
#include <criterion/criterion.h>
#include <signal.h>

#include "base/check.h"

Test(check, passes_over_what_is_true_and_evaluates_it_once)
{
    int evaluated = 0;

    CHECK(++evaluated == 1);
    cr_assert_eq(evaluated, 1);
}

Test(check, aborts_on_what_is_false, .signal = SIGABRT)
{
    volatile int zero = 0;

    CHECK(zero == 1);
}

Test(check, aborts_where_nothing_should_come, .signal = SIGABRT)
{
    UNREACHABLE();
}
