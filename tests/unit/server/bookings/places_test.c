/* Goal: every owner finds a place, whatever one of them takes; nothing is taken twice or lost.
 * Method: single cases with the numbers of places.h, then random takers against a plain model. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/bookings/places.h"

static struct permission permission_of(const char *booking_id, const char *topic, bool can_write)
{
    struct permission permission = {.can_read = true, .can_write = can_write};

    snprintf(permission.booking_id, sizeof permission.booking_id, "%s", booking_id);
    snprintf(permission.topic, sizeof permission.topic, "%s", topic);
    return permission;
}

static unsigned take_all(struct places *places, const struct permission *permission)
{
    unsigned count = 0;

    while (places_take(places, permission) == 0) {
        count++;
    }
    return count;
}

static void give(struct places *places, const struct permission *permission, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        places_give(places, permission->booking_id, permission->topic);
    }
}

Test(places, a_lecture_hall_of_one_booking_gets_in)
{
    struct places *places = places_create(65536);
    struct permission hall = permission_of("hall", "spin", false);

    cr_assert_geq(take_all(places, &hall), 2000u * 20);
    cr_assert_eq(places_look(places, &hall), -EDQUOT);
    give(places, &hall, places_count(places));
    places_destroy(places);
}

Test(places, one_booking_leaves_room_for_others)
{
    struct places *places = places_create(2000);
    struct permission greedy = permission_of("greedy", "a", false);
    struct permission other = permission_of("other", "b", false);
    unsigned greedy_count = take_all(places, &greedy);

    /* 2000 less two reserves of 125; 4 of 5 of them, as it may hold 4 times what remains. */
    cr_assert_eq(greedy_count, 1400);
    cr_assert_eq(places_look(places, &other), 0);
    unsigned other_count = take_all(places, &other);

    cr_assert_geq(other_count, 250);
    give(places, &greedy, greedy_count);
    give(places, &other, other_count);
    places_destroy(places);
}

Test(places, tokens_without_a_booking_are_told_apart_by_topic)
{
    struct places *places = places_create(2000);
    struct permission one = permission_of("", "one", false), two = permission_of("", "two", false);
    unsigned count = take_all(places, &one);

    cr_assert_eq(places_look(places, &one), -EDQUOT);
    cr_assert_eq(places_look(places, &two), 0);
    give(places, &one, count);
    places_destroy(places);
}

Test(places, a_host_gets_in_when_readers_have_taken_all_of_theirs)
{
    struct places *places = places_create(160);
    struct permission host = permission_of("host", "camera", true);
    struct permission readers[140];
    unsigned count = 0;

    for (; count < 140; count++) {
        char id[16];

        snprintf(id, sizeof id, "b%u", count);
        readers[count] = permission_of(id, "camera", false);
        cr_assert_eq(places_take(places, &readers[count]), 0);
    }
    struct permission late = permission_of("late", "camera", false);

    cr_assert_eq(places_take(places, &late), -ENOSPC);
    cr_assert_eq(places_take(places, &host), 0);
    give(places, &host, 1);
    for (unsigned i = 0; i < count; i++) {
        give(places, &readers[i], 1);
    }
    places_destroy(places);
}

Test(places, a_table_of_one_has_one_place)
{
    struct places *places = places_create(1);
    struct permission any = permission_of("b", "t", false);

    cr_assert_eq(places_take(places, &any), 0);
    cr_assert_eq(places_take(places, &any), -ENOSPC);
    give(places, &any, 1);
    places_destroy(places);
}

/* Whatever they do: sums are right, no bound is passed, and an owner of less than the floor is
 * refused only when all places are taken. */
Test(places, random_owners_keep_the_rules)
{
    enum { OWNERS = 12, STEPS = 200000, MAX = 320 };
    struct places *places = places_create(MAX);
    struct permission owners[OWNERS];
    unsigned held[OWNERS] = {0}, sum = 0;

    srand(7);
    for (unsigned i = 0; i < OWNERS; i++) {
        char id[16];

        snprintf(id, sizeof id, "owner%u", i);
        owners[i] = permission_of(i % 4 == 0 ? "" : id, id, i % 3 == 0);
    }
    for (unsigned step = 0; step < STEPS; step++) {
        /* Two of them are greedy, and give back seldom. */
        unsigned i = rand() % 3 != 0 ? (unsigned)rand() % 2 : (unsigned)rand() % OWNERS;
        unsigned max = owners[i].can_write ? MAX - MAX / 16 : MAX - 2 * (MAX / 16);

        if (held[i] > 0 && rand() % 100 < (i < 2 ? 5 : 50)) {
            give(places, &owners[i], 1);
            held[i]--;
            sum--;
        } else {
            int result = places_take(places, &owners[i]);
            bool has_share = held[i] < PLACES_FLOOR || held[i] / PLACES_SHARE < max - sum;

            cr_assert_eq(result, sum >= max ? -ENOSPC : has_share ? 0 : -EDQUOT);
            held[i] += result == 0;
            sum += result == 0;
        }
        cr_assert_eq(places_count(places), sum);
        cr_assert_leq(sum, MAX - MAX / 16);
    }
    for (unsigned i = 0; i < OWNERS; i++) {
        give(places, &owners[i], held[i]);
    }
    places_destroy(places);
}
