/* Goal: durations are read as Go's time.ParseDuration reads them, without signs.
 * Method: a table of texts, at and beyond the bounds. */
#include <criterion/criterion.h>
#include <errno.h>

#include "base/options/duration.h"

static const struct {
    const char *text;
    int64_t ms; /* -1: refused */
} durations[] = {
    {"0", 0},
    {"0s", 0},
    {"1ms", 1},
    {"500ms", 500},
    {"1s", 1000},
    {"1.5s", 1500},
    {"1.001s", 1001},
    {".5s", 500},
    {"1.s", 1000},
    {"1m", 60000},
    {"1h30m", 5400000},
    {"1h1m1s1ms", 3661001},
    {"1s1h", 3601000},
    {"999us", 0},
    {"1000us", 1},
    {"1500\xc2\xb5s", 1},
    {"2000\xce\xbcs", 2},
    {"1000000ns", 1},
    {"999999ns", 0},
    {"0.000000001h", 0},
    {"0.1234567890123456789s", 123},
    {"0000000000000000000000001s", 1000},
    {"2562047h47m16.854775807s", INT64_C(9223372036854)},
    {"2562047h47m16.854775808s", -1},
    {"9223372036854775807ns", INT64_C(9223372036854)},
    {"9223372036854775808ns", -1},
    {"99999999999999999999s", -1},
    {"", -1},
    {"5", -1},
    {"s", -1},
    {".s", -1},
    {"1..5s", -1},
    {"1.5.5s", -1},
    {"-1s", -1},
    {"+1s", -1},
    {" 1s", -1},
    {"1s ", -1},
    {"1 s", -1},
    {"1S", -1},
    {"1d", -1},
    {"1s2", -1},
    {"1e3s", -1},
    {"0x10s", -1},
    {"1,5s", -1},
    {"infs", -1},
    {"nans", -1},
    {"1\xc2s", -1},
    {"00", -1},
};

Test(duration, is_parsed_as_go_does)
{
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        int64_t ms = -1;
        int result = duration_parse(durations[i].text, &ms);

        cr_assert_eq(ms, durations[i].ms, "%s gave %lld", durations[i].text, (long long)ms);
        cr_assert_eq(result, durations[i].ms >= 0 ? 0 : -EINVAL, "%s", durations[i].text);
    }
}
