/* Goal: texts made of random bytes have their promised shape, and numbers their range.
 * Method: many draws; the chance that a right implementation fails is below 2^-60. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/random.h"

enum { DRAWS = 1000 };

Test(random, uuid_has_the_form_of_version_4)
{
    static const char form[] = "xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx";
    static const char digits[] = "0123456789abcdef";

    for (int draw = 0; draw < DRAWS; draw++) {
        char uuid[RANDOM_UUID_SIZE];

        random_uuid(uuid);
        cr_assert_eq(strlen(uuid), RANDOM_UUID_SIZE - 1);
        for (size_t i = 0; form[i] != '\0'; i++) {
            const char *allowed = form[i] == 'x'   ? digits
                                  : form[i] == 'v' ? "89ab"
                                  : form[i] == '4' ? "4"
                                                   : "-";

            cr_assert_not_null(strchr(allowed, uuid[i]), "%s at %zu", uuid, i);
        }
    }
}

Test(random, uuids_differ_in_every_free_digit)
{
    bool varies[RANDOM_UUID_SIZE] = {false};
    char first[RANDOM_UUID_SIZE];

    random_uuid(first);
    for (int draw = 0; draw < DRAWS; draw++) {
        char uuid[RANDOM_UUID_SIZE];

        random_uuid(uuid);
        cr_assert_str_neq(uuid, first);
        for (size_t i = 0; i < RANDOM_UUID_SIZE - 1; i++) {
            varies[i] = varies[i] || uuid[i] != first[i];
        }
    }
    for (size_t i = 0; i < RANDOM_UUID_SIZE - 1; i++) {
        bool is_fixed = first[i] == '-' || i == 14;

        cr_assert_eq(varies[i], !is_fixed, "digit %zu", i);
    }
}

Test(random, bytes_fill_exactly_the_range)
{
    uint8_t data[64], ones[64];

    memset(ones, 0, sizeof ones);
    for (int draw = 0; draw < DRAWS; draw++) {
        memset(data, 0, sizeof data);
        random_bytes(data + 8, 48);
        for (size_t i = 0; i < sizeof data; i++) {
            cr_assert(data[i] == 0 || (i >= 8 && i < 56), "byte %zu was written", i);
            ones[i] |= data[i];
        }
    }
    for (size_t i = 8; i < 56; i++) {
        cr_assert_eq(ones[i], 0xff, "byte %zu never had all its bits", i);
    }
    random_bytes(data, 0);
}

Test(random, numbers_are_below_the_bound_and_reach_all_values)
{
    static const uint32_t bounds[] = {1, 2, 7, 10};

    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        unsigned seen[10] = {0};

        for (int draw = 0; draw < DRAWS; draw++) {
            uint32_t value = random_below(bounds[i]);

            cr_assert_lt(value, bounds[i]);
            seen[value]++;
        }
        for (uint32_t value = 0; value < bounds[i]; value++) {
            cr_assert_gt(seen[value], 0, "%u of %u never came", value, bounds[i]);
        }
    }
}
