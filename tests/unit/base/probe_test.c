/* Goal: without sys/sdt.h a probe is nothing, and its arguments are not even evaluated. Method: the
 * header as it is for a build without. (perf/probes looks for the notes of a build with it.) */
#undef RELAY_PROBES
#include "base/probe.h"

#include <criterion/criterion.h>

Test(probe, evaluates_nothing_in_a_build_without)
{
    unsigned count = 0;

    PROBE2(two, ++count, ++count);
    PROBE3(three, ++count, ++count, ++count);
    PROBE4(four, ++count, ++count, ++count, ++count);
    cr_expect_eq(count, 0);
}
