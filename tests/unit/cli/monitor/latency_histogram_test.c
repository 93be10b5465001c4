/* Goal: every latency is counted in a bucket no wider than a sixteenth of it. Method: exact values
 * at the borders of buckets. */
#include "cli/monitor/latency_histogram.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"

static struct latency_histogram *histogram_of(const uint64_t *latencies_ns, size_t count)
{
    struct latency_histogram *histogram = calloc(1, sizeof *histogram);

    for (size_t i = 0; i < count; i++) {
        latency_histogram_record(histogram, latencies_ns[i]);
    }
    return histogram;
}

Test(latency_histogram, is_exact_to_a_sixteenth_everywhere)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        for (int64_t off = -1; off <= 1; off++) {
            uint64_t low = (UINT64_C(1) << bit) + (uint64_t)off;
            const uint64_t latencies[] = {low, UINT64_MAX};
            struct latency_histogram *histogram = histogram_of(latencies, 2);
            uint64_t half_ns = latency_histogram_permille_ns(histogram, 500);

            cr_expect(half_ns >= low, "%lu", (unsigned long)low);
            cr_expect(half_ns - low <= low / 16, "%lu", (unsigned long)low);
            cr_expect_eq(latency_histogram_permille_ns(histogram, 1000), UINT64_MAX);
            free(histogram);
        }
    }
}

Test(latency_histogram, finds_percentiles)
{
    uint64_t latencies[1000];

    for (size_t i = 0; i < ARRAY_LENGTH(latencies); i++) {
        latencies[i] = (i + 1) * 1000;
    }
    struct latency_histogram *histogram = histogram_of(latencies, ARRAY_LENGTH(latencies));
    static const unsigned permilles[] = {1, 100, 500, 900, 990, 999};

    for (size_t i = 0; i < ARRAY_LENGTH(permilles); i++) {
        uint64_t exact_ns = permilles[i] * UINT64_C(1000);
        uint64_t found_ns = latency_histogram_permille_ns(histogram, permilles[i]);

        cr_expect(found_ns >= exact_ns && found_ns <= exact_ns + exact_ns / 16, "%u", permilles[i]);
    }
    cr_assert_eq(latency_histogram_permille_ns(histogram, 1000), 1000000);
    cr_assert_eq(histogram->min_ns, 1000);
    cr_assert_eq(histogram->max_ns, 1000000);
    cr_assert_eq(histogram->total, 1000);
    free(histogram);
}

Test(latency_histogram, of_one_latency_knows_nothing_else)
{
    const uint64_t latency = 1234567;
    struct latency_histogram *histogram = histogram_of(&latency, 1);

    cr_assert_eq(latency_histogram_permille_ns(histogram, 0), latency);
    cr_assert_eq(latency_histogram_permille_ns(histogram, 999), latency);
    free(histogram);
}

Test(latency_histogram, is_printed)
{
    const uint64_t latencies[] = {100000, 200000, 200000, 900000};
    struct latency_histogram *histogram = histogram_of(latencies, ARRAY_LENGTH(latencies));
    char text[LATENCY_HISTOGRAM_TEXT_SIZE];

    latency_histogram_format(histogram, text);
    cr_assert_str_eq(
        text,
        "messages 4, latency in ms: min 0.100 mean 0.350 max 0.900\n"
        "50.0 % within 0.205, 90.0 % within 0.900, 99.0 % within 0.900, 99.9 % within 0.900\n"
        "        0.066 -         0.131 ms          1 ####################\n"
        "        0.131 -         0.262 ms          2 ########################################\n"
        "        0.262 -         0.524 ms          0\n"
        "        0.524 -         1.049 ms          1 ####################\n");
    free(histogram);
}

Test(latency_histogram, is_printed_when_empty_and_when_as_wide_as_it_gets)
{
    const uint64_t latencies[] = {0, UINT64_MAX};
    struct latency_histogram *histogram = histogram_of(NULL, 0);
    char text[LATENCY_HISTOGRAM_TEXT_SIZE];

    latency_histogram_format(histogram, text);
    cr_assert_str_eq(text, "messages 0\n");
    cr_assert_eq(latency_histogram_permille_ns(histogram, 500), 0);
    free(histogram);
    histogram = histogram_of(latencies, 2);
    latency_histogram_format(histogram, text);
    cr_assert_not_null(strstr(text, "18446744073709.551 ms"));
    free(histogram);
}
