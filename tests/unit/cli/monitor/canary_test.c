/* Goal: what counts as a miss, and when. Method: a clock of the test's own. */
#include "cli/monitor/canary.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define MS   UINT64_C(1000000)
#define WALL UINT64_C(1795425680000000000)

static const struct canary_settings settings = {
    .threshold_ns = 200 * MS, .silence_ns = 60000 * MS, .misses_max = 3};

static struct canary *canary_new(uint64_t now_ns)
{
    struct canary *canary = malloc(sizeof *canary);

    canary_init(canary, &settings, now_ns);
    return canary;
}

/* Sends at one time and receives at another. */
static enum canary_verdict travel(struct canary *canary, uint64_t sent_ns, uint64_t latency_ns)
{
    uint8_t probe[CANARY_PROBE_SIZE];
    size_t len = canary_probe(canary, WALL + sent_ns, sent_ns, probe);
    uint64_t measured_ns = 0;
    enum canary_verdict verdict =
        canary_on_message(canary, bytes_of(probe, len), sent_ns + latency_ns, &measured_ns);

    cr_expect_eq(measured_ns, latency_ns);
    return verdict;
}

Test(canary, sends_the_time_without_leading_zeros)
{
    static const struct {
        uint64_t wall_ns;
        size_t len;
        uint8_t bytes[CANARY_PROBE_SIZE];
    } cases[] = {
        {0, 0, {0}},
        {1, 1, {1}},
        {0x100, 2, {1, 0}},
        {WALL, 8, {0x18, 0xea, 0xa2, 0x24, 0xb5, 0x03, 0xa0, 0x00}},
        {UINT64_MAX, 8, {255, 255, 255, 255, 255, 255, 255, 255}},
    };
    struct canary *canary = canary_new(0);

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        uint8_t probe[CANARY_PROBE_SIZE];
        uint64_t value = 0;
        size_t len = canary_probe(canary, cases[i].wall_ns, 0, probe);

        cr_assert_eq(len, cases[i].len);
        for (size_t j = 0; j < len; j++) {
            value = value << 8 | probe[j];
        }
        cr_expect_eq(value, cases[i].wall_ns);
        cr_expect(len == 0 || probe[0] != 0);
        cr_expect_eq(memcmp(probe, cases[i].bytes, len), 0);
    }
    free(canary);
}

Test(canary, counts_late_messages_in_a_row)
{
    struct canary *canary = canary_new(0);

    cr_assert_eq(travel(canary, 1 * MS, 200 * MS), CANARY_GOOD);
    cr_assert_eq(travel(canary, 2 * MS, 200 * MS + 1), CANARY_LATE);
    cr_assert_eq(travel(canary, 3 * MS, 900 * MS), CANARY_LATE);
    cr_assert_not(canary_is_dead(canary));
    cr_assert_eq(travel(canary, 4 * MS, 0), CANARY_GOOD);
    cr_assert_eq(canary->misses, 0);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_not(canary_is_dead(canary));
        cr_assert_eq(travel(canary, (10 + i) * MS, 300 * MS), CANARY_LATE);
    }
    cr_assert(canary_is_dead(canary));
    cr_assert_eq(canary->sent, 7);
    cr_assert_eq(canary->good, 2);
    cr_assert_eq(canary->late, 5);
    cr_assert_eq(canary->latency.total, 7);
    free(canary);
}

Test(canary, counts_silence_also_when_nothing_ever_came)
{
    struct canary *canary = canary_new(1000 * MS);

    cr_assert_not(canary_on_time(canary, 60999 * MS));
    for (unsigned i = 1; i <= 3; i++) {
        cr_assert_not(canary_is_dead(canary));
        cr_assert_eq(canary_wake_ns(canary), (1000 + i * 60000) * MS);
        cr_assert(canary_on_time(canary, (1000 + i * 60000) * MS));
        cr_assert_not(canary_on_time(canary, (1000 + i * 60000) * MS));
    }
    cr_assert(canary_is_dead(canary));
    cr_assert_eq(canary->silences, 3);
    free(canary);
}

Test(canary, hears_late_messages_as_an_end_of_silence)
{
    struct canary *canary = canary_new(0);

    cr_assert(canary_on_time(canary, 60000 * MS));
    cr_assert_eq(travel(canary, 1 * MS, 70000 * MS), CANARY_LATE);
    cr_assert_eq(canary->misses, 2);
    cr_assert_not(canary_on_time(canary, 130000 * MS));
    cr_assert(canary_on_time(canary, 130001 * MS));
    cr_assert(canary_is_dead(canary));
    free(canary);
}

Test(canary, passes_over_what_it_did_not_send)
{
    struct canary *canary = canary_new(0);
    uint8_t probe[CANARY_PROBE_SIZE + 1] = {0};
    uint64_t latency_ns = 77;
    size_t len = canary_probe(canary, WALL, 0, probe);
    const struct bytes strange[] = {
        bytes_of(probe, 0),
        bytes_of(probe, len - 1),
        bytes_of(probe, len + 1),
        bytes_of("\0\0\0\0\0\0\0\0", 8),
        bytes_of("a text of some length", 21),
        bytes_of("\x18\xea\xa2\x24\xb5\x03\xa0\x01", 8),
    };

    for (size_t i = 0; i < ARRAY_LENGTH(strange); i++) {
        cr_expect_eq(canary_on_message(canary, strange[i], 900 * MS, &latency_ns), CANARY_STRANGE);
    }
    cr_assert_eq(latency_ns, 77);
    cr_assert_eq(canary->misses, 0);
    cr_assert_eq(canary_on_message(canary, bytes_of(probe, len), MS, &latency_ns), CANARY_GOOD);
    cr_assert_eq(canary_on_message(canary, bytes_of(probe, len), 900 * MS, &latency_ns),
                 CANARY_STRANGE);
    cr_assert_eq(canary->strange, ARRAY_LENGTH(strange) + 1);
    free(canary);
}

Test(canary, gives_up_the_oldest_of_too_many)
{
    struct canary *canary = canary_new(0);
    uint8_t probes[CANARY_PROBES_MAX + 1][CANARY_PROBE_SIZE];
    uint64_t latency_ns;

    for (size_t i = 0; i <= CANARY_PROBES_MAX; i++) {
        cr_assert_eq(canary_probe(canary, WALL + i, i, probes[i]), CANARY_PROBE_SIZE);
    }
    cr_assert_eq(canary_on_message(canary, bytes_of(probes[0], 8), MS, &latency_ns),
                 CANARY_STRANGE);
    for (size_t i = 1; i <= CANARY_PROBES_MAX; i++) {
        cr_assert_eq(canary_on_message(canary, bytes_of(probes[i], 8), MS, &latency_ns),
                     CANARY_GOOD);
    }
    free(canary);
}

Test(canary, begins_anew)
{
    struct canary *canary = canary_new(0);

    for (unsigned i = 1; i <= 3; i++) {
        cr_assert(canary_on_time(canary, i * 60000 * MS));
    }
    canary_restart(canary, 240000 * MS);
    cr_assert_not(canary_is_dead(canary));
    cr_assert_not(canary_on_time(canary, 299999 * MS));
    cr_assert(canary_on_time(canary, 300000 * MS));
    cr_assert_eq(canary->misses, 1);
    free(canary);
}

Test(canary, forgives_what_it_could_not_see)
{
    struct canary *canary = canary_new(1000);
    uint8_t probe[CANARY_PROBE_SIZE];
    uint64_t latency_ns;

    cr_assert_eq(travel(canary, 2000, settings.threshold_ns + 1), CANARY_LATE);
    size_t len = canary_probe(canary, 77, 3000, probe);

    canary_forgive(canary, 100 * settings.silence_ns);
    cr_assert_eq(canary->misses, 0);
    cr_assert_eq(
        canary_on_message(canary, bytes_of(probe, len), 100 * settings.silence_ns + 1, &latency_ns),
        CANARY_STRANGE);
    cr_assert(!canary_on_time(canary, 101 * settings.silence_ns - 1));
    cr_assert(canary_on_time(canary, 101 * settings.silence_ns));
    free(canary);
}

Test(canary, forgives_silence_that_is_excused)
{
    struct canary *canary = canary_new(0);

    cr_assert(canary_on_time(canary, 60000 * MS));
    canary_excuse(canary, 120000 * MS);
    cr_assert_not(canary_on_time(canary, 120000 * MS));
    cr_assert_eq(canary->misses, 1);
    cr_assert(canary_on_time(canary, 180000 * MS));
    cr_assert_eq(canary->misses, 2);
    free(canary);
}
