/* Goal: the option is read as it is documented, and a meter lets a publisher have its rate and its
 * burst, and no more. Method: tables; an invented clock, at random against sums over all windows.
 */
#include "server/websocket/publish/publish_rate.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "base/attributes.h"

enum { START_MS = 1000, MESSAGES = 3000 };

Test(publish_rate, reads_what_is_documented)
{
    static const struct {
        const char *text;
        struct publish_rate rate;
    } cases[] = {
        {"", {0, 0, PUBLISH_BURST_MS}},
        {"0", {0, 0, PUBLISH_BURST_MS}},
        {"500", {500, 0, PUBLISH_BURST_MS}},
        {"4M", {4000000, 0, PUBLISH_BURST_MS}},
        {"4k,200", {4000, 200, PUBLISH_BURST_MS}},
        {"0,2k", {0, 2000, PUBLISH_BURST_MS}},
        {"1G,200,1m", {1000000000, 200, 60000}},
        {"0,0,100ms", {0, 0, 100}},
        {"1000G", {PUBLISH_RATE_MAX, 0, PUBLISH_BURST_MS}},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct publish_rate rate;

        cr_assert_eq(publish_rate_parse(cases[i].text, &rate), 0, "%s", cases[i].text);
        cr_assert_eq(rate.bytes_per_s, cases[i].rate.bytes_per_s, "%s", cases[i].text);
        cr_assert_eq(rate.messages_per_s, cases[i].rate.messages_per_s, "%s", cases[i].text);
        cr_assert_eq(rate.burst_ms, cases[i].rate.burst_ms, "%s", cases[i].text);
    }
}

Test(publish_rate, refuses_anything_else)
{
    static const char *const texts[] = {
        ",",
        "4M,",
        ",200",
        "4 M",
        "-1",
        "4MB",
        "4m",
        "M",
        "4M,200,",
        "4M,200,10",
        "4M,200,10s,",
        "4M;200",
        "4M,200,99ms",
        "4M,200,61m",
        "1001G",
        "18446744074G", /* which 64 bits would take for less */
        "1000000000001",
        "99999999999999999999999",
        "4MM",
        "1.5M",
        "4M, 200",
    };
    struct publish_rate rate = {.bytes_per_s = 7};

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        cr_assert_eq(publish_rate_parse(texts[i], &rate), -EINVAL, "%s", texts[i]);
    }
    cr_assert_eq(rate.bytes_per_s, 7);
}

static struct publish_meter meter;

/* Messages of that many bytes that are allowed at once. */
static unsigned take_all(const struct publish_rate *rate, uint64_t now_ms, uint64_t bytes)
{
    unsigned count = 0;

    while (count < 100000 && publish_meter_take(&meter, rate, now_ms, bytes)) {
        count++;
    }
    return count;
}

Test(publish_rate, without_bounds_everything_is_allowed)
{
    static const struct publish_rate rate = {.burst_ms = PUBLISH_BURST_MS};

    cr_assert_eq(take_all(&rate, START_MS, UINT64_C(10) << 20), 100000);
}

Test(publish_rate, burst_comes_at_once_and_then_the_rate)
{
    static const struct publish_rate rate = {.messages_per_s = 200, .burst_ms = 10000};

    cr_assert_eq(take_all(&rate, START_MS, 1), 2000);
    cr_assert_eq(take_all(&rate, START_MS + 4, 1), 1, "the last one comes out of a part");
    cr_assert_eq(take_all(&rate, START_MS + 1000, 1), 199);
    cr_assert_eq(take_all(&rate, START_MS + 3600 * 1000, 1), 2000);
}

Test(publish_rate, bytes_and_messages_both_count)
{
    static const struct publish_rate rate = {
        .bytes_per_s = 1000, .messages_per_s = 100, .burst_ms = 1000};

    cr_assert_eq(take_all(&rate, START_MS, 1), 100);
    cr_assert_eq(take_all(&rate, START_MS + 5000, 100), 10);
}

Test(publish_rate, message_above_the_burst_is_allowed_and_paid_off)
{
    static const struct publish_rate rate = {.bytes_per_s = 1000, .burst_ms = 100};

    cr_assert(publish_meter_take(&meter, &rate, START_MS, 10100));
    cr_assert(!publish_meter_take(&meter, &rate, START_MS + 10000, 1));
    cr_assert(publish_meter_take(&meter, &rate, START_MS + 10001, 1));
}

Test(publish_rate, largest_rate_and_longest_burst_do_not_overflow)
{
    static const struct publish_rate rate = {.bytes_per_s = PUBLISH_RATE_MAX,
                                             .messages_per_s = PUBLISH_RATE_MAX,
                                             .burst_ms = PUBLISH_BURST_MS_MAX};

    cr_assert(publish_meter_take(&meter, &rate, START_MS, UINT64_C(10) << 20));
    cr_assert(publish_meter_take(&meter, &rate, UINT64_MAX, UINT64_C(10) << 20));
}

/* In no window more than the rate, the burst and the one message that ended in debt. */
Test(publish_rate, no_window_has_more_than_its_share)
{
    static uint64_t at_ms[MESSAGES], bytes[MESSAGES];
    unsigned seed = 1, count = 0;
    uint64_t now_ms = START_MS;
    static const struct publish_rate rate = {
        .bytes_per_s = 20000, .messages_per_s = 50, .burst_ms = 2000};

    for (unsigned i = 0; i < MESSAGES; i++) {
        uint64_t size = (unsigned)rand_r(&seed) % 1000;

        now_ms += (unsigned)rand_r(&seed) % 20;
        if (publish_meter_take(&meter, &rate, now_ms, size)) {
            at_ms[count] = now_ms;
            bytes[count++] = size;
        }
    }
    cr_assert_gt(count, 100);
    for (unsigned from = 0; from < count; from++) {
        uint64_t sum = 0;

        for (unsigned to = from; to < count; to++) {
            uint64_t window_ms = at_ms[to] - at_ms[from] + (uint64_t)rate.burst_ms;

            sum += bytes[to];
            cr_assert_leq((uint64_t)(to - from) * 1000, (uint64_t)rate.messages_per_s * window_ms);
            cr_assert_leq((sum - bytes[to]) * 1000, (uint64_t)rate.bytes_per_s * window_ms);
        }
    }
}
