/* Goal: places are all there, the warmest is used first, and those that were of no use for a period
 * take no memory of the machine, whatever is taken between them.
 * Method: residency as the kernel tells it (mincore), and random takes and puts against a plain
 * list. */
#include "server/loop/slab.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PLACE_BYTES = 2900, PLACES = 1000 };

static struct slab slab;
static uint8_t *taken[PLACES];

static void open_slab(void)
{
    cr_assert_eq(slab_init(&slab, PLACE_BYTES, PLACES), 0);
}

static void close_slab(void)
{
    slab_deinit(&slab);
}

TestSuite(slab, .init = open_slab, .fini = close_slab);

static uint8_t *take_and_fill(void)
{
    uint8_t *place = slab_take(&slab);

    cr_assert_not_null(place);
    memset(place, 0xa5, PLACE_BYTES);
    return place;
}

static void take(unsigned from, unsigned end)
{
    for (unsigned i = from; i < end; i++) {
        taken[i] = take_and_fill();
    }
}

static void put(unsigned from, unsigned end)
{
    for (unsigned i = from; i < end; i++) {
        slab_put(&slab, taken[i]);
    }
}

static size_t resident_pages(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t pages = ((size_t)PLACE_BYTES * PLACES + page - 1) / page, count = 0;
    unsigned char *states = malloc(pages);

    cr_assert_not_null(states);
    cr_assert_eq(mincore(slab.memory, (size_t)PLACE_BYTES * PLACES, states), 0);
    for (size_t i = 0; i < pages; i++) {
        count += states[i] & 1;
    }
    free(states);
    return count;
}

Test(slab, has_as_many_places_as_it_was_made_for)
{
    take(0, PLACES);
    cr_assert_null(slab_take(&slab));
    for (unsigned i = 0; i < PLACES; i++) {
        cr_assert_eq(taken[i], slab.memory + (size_t)i * PLACE_BYTES);
    }
    put(0, PLACES);
}

Test(slab, place_that_was_put_last_is_taken_first)
{
    take(0, 3);
    put(0, 3);
    cr_assert_eq(slab_take(&slab), taken[2]);
    cr_assert_eq(slab_take(&slab), taken[1]);
    cr_assert_eq(slab_take(&slab), taken[0]);
    cr_assert_eq(slab.made, 3);
}

Test(slab, burst_is_given_back_after_a_period_without_use)
{
    take(0, PLACES);
    size_t full = resident_pages();

    put(10, PLACES);
    cr_assert_eq(slab_end_period(&slab), 0, "they were of use in it");
    cr_assert_eq(resident_pages(), full);
    cr_assert_eq(slab_end_period(&slab), (size_t)(PLACES - 10) * PLACE_BYTES);
    cr_assert_lt(resident_pages(), 10);
    for (unsigned i = 0; i < 10; i++) {
        cr_assert_eq(taken[i][0], 0xa5);
        cr_assert_eq(taken[i][PLACE_BYTES - 1], 0xa5);
    }
    cr_assert_eq(slab_end_period(&slab), 0, "once is enough");
    take(10, PLACES);
    put(0, PLACES);
}

Test(slab, place_that_was_given_back_is_zero_where_it_was)
{
    take(0, PLACES);
    put(0, PLACES);
    slab_end_period(&slab);
    slab_end_period(&slab);
    const uint8_t *place = slab_take(&slab);

    cr_assert_eq(place, slab.memory, "low numbers are taken first, so that they lie together");
    for (unsigned i = 0; i < PLACE_BYTES; i++) {
        cr_assert(place[i] == 0 || place[i] == 0xa5);
    }
}

/* Neighbours that stay keep their pages, and runs between them lose theirs. */
Test(slab, burst_around_places_that_stay_is_given_back_too)
{
    take(0, PLACES);
    for (unsigned i = 0; i < PLACES; i++) {
        if (i % 100 != 50) {
            slab_put(&slab, taken[i]);
        }
    }
    slab_end_period(&slab);
    slab_end_period(&slab);
    cr_assert_leq(resident_pages(), 10 * 3);
    for (unsigned i = 50; i < PLACES; i += 100) {
        for (unsigned k = 0; k < PLACE_BYTES; k++) {
            cr_assert_eq(taken[i][k], 0xa5);
        }
    }
}

Test(slab, places_that_are_used_within_each_period_stay)
{
    take(0, PLACES);
    for (unsigned period = 0; period < 5; period++) {
        put(0, PLACES);
        take(0, PLACES);
        cr_assert_eq(slab_end_period(&slab), 0);
    }
    put(0, PLACES);
}

Test(slab, few_places_keep_their_pages)
{
    take(0, SLAB_SPARE_MIN - 1);
    put(0, SLAB_SPARE_MIN - 1);
    size_t before = resident_pages();

    slab_end_period(&slab);
    cr_assert_eq(slab_end_period(&slab), 0);
    cr_assert_eq(resident_pages(), before);
}

Test(slab, no_place_is_given_out_twice_or_lost_under_random_use)
{
    enum { STEPS = 20000, PERIOD = 700 };
    bool is_taken[PLACES] = {0};
    unsigned count = 0;

    srand(7);
    for (unsigned step = 0; step < STEPS; step++) {
        bool grows = step / 3000 % 2 == 0;
        unsigned number = (unsigned)rand() % PLACES;

        if (rand() % 4 == 0 ? !grows : grows) {
            uint8_t *place = slab_take(&slab);

            cr_assert_eq(place == NULL, count == PLACES);
            if (place != NULL) {
                number = (unsigned)((size_t)(place - slab.memory) / PLACE_BYTES);
                cr_assert(!is_taken[number]);
                is_taken[number] = true;
                memset(place, (int)(number % 251), PLACE_BYTES);
                count++;
            }
        } else if (is_taken[number]) {
            uint8_t *place = slab.memory + (size_t)number * PLACE_BYTES;

            cr_assert_eq(place[0], number % 251);
            cr_assert_eq(memcmp(place, place + 1, PLACE_BYTES - 1), 0, "it was given back");
            is_taken[number] = false;
            slab_put(&slab, place);
            count--;
        }
        if (step % PERIOD == 0) {
            slab_end_period(&slab);
        }
        cr_assert_eq(slab.made - slab.free_count, count);
    }
}

Test(slab, deinit_accepts_one_that_is_all_zero)
{
    struct slab none = {0};

    slab_deinit(&none);
}
