#include "base/octaves.h"

#include <criterion/criterion.h>
#include <signal.h>

#include "base/attributes.h"

Test(octaves, a_value_lies_between_the_ends_of_its_bucket_and_of_the_one_before)
{
    static const unsigned steps_log2[] = {0, 4, 7};

    for (unsigned i = 0; i < ARRAY_LENGTH(steps_log2); i++) {
        for (unsigned shift = 0; shift < 64; shift++) {
            for (int offset = -1; offset <= 1; offset++) {
                uint64_t value = (UINT64_C(1) << shift) + (uint64_t)offset;
                unsigned bucket = octaves_bucket_of(value, steps_log2[i]);

                cr_assert_geq(octaves_bucket_end(bucket, steps_log2[i]), value);
                cr_assert(bucket == 0 || octaves_bucket_end(bucket - 1, steps_log2[i]) < value);
            }
        }
    }
}

Test(octaves, small_values_have_buckets_of_their_own)
{
    for (uint64_t value = 0; value < 32; value++) {
        unsigned bucket = octaves_bucket_of(value, 4);

        cr_assert_eq(bucket, value);
        cr_assert_eq(octaves_bucket_end(bucket, 4), value);
    }
    cr_assert_eq(octaves_bucket_of(32, 4), octaves_bucket_of(33, 4));
}

Test(octaves, buckets_reach_the_largest_value)
{
    cr_assert_eq(octaves_bucket_of(UINT64_MAX, 4), 61 * 16 - 1);
    cr_assert_eq(octaves_bucket_end(61 * 16 - 1, 4), UINT64_MAX);
}

Test(octaves, a_share_is_found_where_it_is_reached)
{
    static const uint64_t counts[] = {0, 3, 0, 6, 1};
    static const struct {
        unsigned ppm, bucket;
    } cases[] = {{0, 1}, {300000, 1}, {300001, 3}, {900000, 3}, {900001, 4}, {1000000, 4}};

    for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_assert_eq(octaves_find(counts, 5, 10, cases[i].ppm), cases[i].bucket, "%u",
                     cases[i].ppm);
    }
}

Test(octaves, nothing_is_found_in_nothing)
{
    static const uint64_t counts[3];

    cr_assert_eq(octaves_find(counts, 3, 0, 500000), 3);
}

Test(octaves, shares_above_the_whole_are_a_mistake, .signal = SIGABRT)
{
    static const uint64_t counts[] = {1};

    (void)octaves_find(counts, 1, 1, 1000001);
}
