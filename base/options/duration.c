#include "base/options/duration.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"

static const struct {
    const char *name;
    uint64_t ns;
} duration_units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xc2\xb5s", 1000}, /* U+00B5, the micro sign */
    {"\xce\xbcs", 1000}, /* U+03BC, the Greek letter */
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", 60 * UINT64_C(1000000000)},
    {"h", 3600 * UINT64_C(1000000000)},
};

static uint64_t duration_unit_take(const char **text)
{
    for (size_t i = 0; i < ARRAY_LENGTH(duration_units); i++) {
        size_t len = strlen(duration_units[i].name);

        if (strncmp(*text, duration_units[i].name, len) == 0) {
            *text += len;
            return duration_units[i].ns;
        }
    }
    return 0;
}

/* digits / scale. Whole numbers, because 1.001 s must not become 1000 ms. */
struct decimal {
    uint64_t digits;
    uint64_t scale;
};

/* Digits with at most one point between, before or after them; what is below a billionth is passed
 * over. */
static bool decimal_take(const char **text, struct decimal *ret_decimal)
{
    struct decimal decimal = {.scale = 1};
    bool has_digits = false, has_point = false;

    for (; isdigit((unsigned char)**text) || (**text == '.' && !has_point); (*text)++) {
        if (**text == '.') {
            has_point = true;
            continue;
        }
        has_digits = true;
        if (decimal.scale == 1000000000) {
            continue;
        }
        if (__builtin_mul_overflow(decimal.digits, (uint64_t)10, &decimal.digits) ||
            __builtin_add_overflow(decimal.digits, (uint64_t)(**text - '0'), &decimal.digits)) {
            return false;
        }
        decimal.scale *= has_point ? 10 : 1;
    }
    *ret_decimal = decimal;
    return has_digits;
}

/* Rounded down. False: more than 64 bits. */
static bool decimal_in_ns(const struct decimal *decimal, uint64_t unit_ns, uint64_t *ret_ns)
{
    uint64_t fraction = decimal->digits % decimal->scale;
    uint64_t whole_ns;

    /* A unit of a second or more is a multiple of any scale, so no product is above it. */
    fraction = unit_ns % decimal->scale == 0 ? fraction * (unit_ns / decimal->scale)
                                             : fraction * unit_ns / decimal->scale;
    return !__builtin_mul_overflow(decimal->digits / decimal->scale, unit_ns, &whole_ns) &&
           !__builtin_add_overflow(whole_ns, fraction, ret_ns);
}

int duration_parse_ns(const char *text, int64_t *ret_ns)
{
    uint64_t total_ns = 0;

    if (strcmp(text, "0") == 0) {
        *ret_ns = 0;
        return 0;
    }
    if (*text == '\0') {
        return -EINVAL;
    }
    while (*text != '\0') {
        struct decimal decimal;

        if (!decimal_take(&text, &decimal)) {
            return -EINVAL;
        }
        uint64_t unit_ns = duration_unit_take(&text), ns;

        if (unit_ns == 0 || !decimal_in_ns(&decimal, unit_ns, &ns) ||
            __builtin_add_overflow(total_ns, ns, &total_ns) || total_ns > INT64_MAX) {
            return -EINVAL;
        }
    }
    *ret_ns = (int64_t)total_ns;
    return 0;
}

int duration_parse(const char *text, int64_t *ret_ms)
{
    int64_t ns;
    int failed = duration_parse_ns(text, &ns);

    if (failed == 0) {
        *ret_ms = ns / 1000000;
    }
    return failed;
}
