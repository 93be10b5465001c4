/* Goal: a small topic has one worker, the least busy one; a large one is spread evenly.
 * Method: tables of what a worker sees; then topics that come and go. */
#include "server/placement/placement.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"

enum { WORKERS = 4 };

static struct topic_registry registry;
static struct placement *placement;

static void open_room(void)
{
    topic_registry_init(&registry, WORKERS);
    placement = placement_create(WORKERS);
    CHECK(placement != NULL);
}

static void close_room(void)
{
    placement_destroy(placement);
    topic_registry_deinit(&registry);
}

TestSuite(placement, .init = open_room, .fini = close_room);

Test(placement, chooses_by_members_then_by_load_then_the_nearest)
{
    enum { FULL = PLACEMENT_SHARE_MIN };
    static const struct {
        const char *what;
        struct placement_share shares[WORKERS];
        unsigned here;
        bool only_publishes;
        unsigned expected;
    } rows[] = {
        {"new topic, equal loads", {{0, 0, 5}, {0, 0, 5}, {0, 0, 5}, {0, 0, 5}}, 2, false, 2},
        {"new topic", {{0, 0, 9}, {0, 0, 7}, {0, 0, 3}, {0, 0, 8}}, 0, false, 2},
        {"publisher of a new topic", {{0, 0, 9}, {0, 0, 7}, {0, 0, 3}, {0, 0, 8}}, 0, true, 2},
        {"small topic, whatever the load",
         {{0, 0, 0}, {1, 0, 99}, {0, 0, 0}, {0, 0, 0}},
         0,
         false,
         1},
        {"its publisher", {{0, 0, 0}, {1, 0, 99}, {0, 0, 0}, {0, 0, 0}}, 3, true, 1},
        {"one before the share is full",
         {{0, 0, 0}, {0, 0, 0}, {0, 0, 0}, {FULL - 1, 0, 9}},
         0,
         false,
         3},
        {"the fullest of those begun",
         {{3, 0, 0}, {9, 0, 9}, {5, 0, 0}, {FULL, 0, 0}},
         0,
         false,
         1},
        {"a new share", {{FULL, 0, 0}, {0, 0, 5}, {0, 0, 4}, {0, 0, 6}}, 0, false, 2},
        {"begun before new", {{FULL, 0, 0}, {0, 0, 0}, {1, 0, 9}, {0, 0, 0}}, 1, false, 2},
        {"the smallest",
         {{FULL + 2, 0, 0}, {FULL + 1, 0, 9}, {FULL + 2, 0, 0}, {FULL + 3, 0, 0}},
         0,
         false,
         1},
        {"all equal", {{FULL, 0, 3}, {FULL, 0, 2}, {FULL, 0, 1}, {FULL, 0, 2}}, 0, false, 2},
        {"monitor of instruments", {{0, 0, 0}, {0, 0, 1}, {0, FULL, 9}, {0, 3, 0}}, 0, false, 2},
        {"instrument", {{0, 0, 0}, {0, 2, 9}, {0, 0, 0}, {0, 0, 0}}, 0, true, 1},
        {"instrument among many", {{0, 0, 9}, {0, FULL, 9}, {0, 0, 0}, {0, 0, 7}}, 0, true, 2},
        {"no more beside the readers", {{2, FULL, 0}, {0, 1, 9}, {0, 0, 0}, {0, 0, 0}}, 0, true, 1},
        {"all have many",
         {{0, FULL + 1, 0}, {1, FULL + 1, 0}, {0, FULL, 9}, {0, FULL + 2, 0}},
         0,
         true,
         2},
        {"publisher among many",
         {{FULL, 0, 0}, {FULL + 3, 0, 9}, {FULL, 0, 0}, {0, 0, 0}},
         3,
         true,
         1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned chosen =
            placement_choose(rows[i].shares, WORKERS, rows[i].here, !rows[i].only_publishes);

        cr_assert_eq(chosen, rows[i].expected, "%s: %u", rows[i].what, chosen);
    }
}

static struct topic *topic_of(unsigned number)
{
    char name[16];

    snprintf(name, sizeof name, "t%u", number);
    struct topic *topic = topic_find_or_create(&registry, name);

    cr_assert_not_null(topic);
    return topic;
}

static void leave_all(struct topic *topic)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        while (topic->parts[i].readers > 0) {
            placement_leave(placement, topic, i, true);
        }
        while (topic->parts[i].writers > 0) {
            placement_leave(placement, topic, i, false);
        }
    }
    topic_unref(topic);
}

Test(placement, small_topics_have_one_worker_each_and_workers_equally_many)
{
    enum { TOPICS = 160, MEMBERS = 5 };
    struct topic *topics[TOPICS];
    unsigned homes[WORKERS] = {0};

    for (unsigned i = 0; i < TOPICS; i++) {
        topics[i] = topic_of(i);
    }
    for (unsigned member = 0; member < MEMBERS; member++) {
        for (unsigned i = 0; i < TOPICS; i++) {
            placement_reserve(placement, topics[i], (i + member) % WORKERS, member > 0);
        }
    }
    for (unsigned i = 0; i < TOPICS; i++) {
        for (unsigned worker = 0; worker < WORKERS; worker++) {
            const struct topic_part *part = &topics[i]->parts[worker];
            uint32_t members = part->readers + part->writers;

            cr_assert(members == 0 || members == MEMBERS, "%u: %u", i, members);
            homes[worker] += members == MEMBERS;
        }
    }
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        cr_assert_eq(homes[worker], TOPICS / WORKERS);
    }
    for (unsigned i = 0; i < TOPICS; i++) {
        leave_all(topics[i]);
    }
}

Test(placement, hot_topic_is_spread_evenly)
{
    struct topic *topic = topic_of(0);

    for (unsigned i = 0; i < 400; i++) {
        placement_reserve(placement, topic, 0, true);
    }
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        cr_assert_eq(topic->parts[worker].readers, 400 / WORKERS);
    }
    leave_all(topic);
}

Test(placement, topic_that_was_left_begins_where_there_is_least_to_do)
{
    struct topic *topic = topic_of(0), *other = topic_of(1);

    cr_assert_eq(placement_reserve(placement, topic, 3, true), 3);
    placement_leave(placement, topic, 3, true);
    for (unsigned i = 0; i < WORKERS - 1; i++) {
        placement_enter(placement, other, i + 1, true);
    }
    cr_assert_eq(placement_reserve(placement, topic, 3, true), 0);
    leave_all(topic);
    leave_all(other);
}

/* The thread's own time counts, so the worker is one that this thread keeps busy. */
Test(placement, busy_worker_gets_no_new_topic)
{
    struct topic *topic = topic_of(0);
    struct worker worker = {.index = 1, .now_ms = UINT64_C(1) << 40};

    placement_on_turn_end(placement, &worker);
    for (clock_t end = clock() + CLOCKS_PER_SEC / 20; clock() < end;) {
    }
    worker.now_ms += PLACEMENT_PERIOD_MS - 1;
    placement_on_turn_end(placement, &worker);
    cr_assert_eq(placement_reserve(placement, topic, 1, true), 1, "it is not looked yet");
    placement_leave(placement, topic, 1, true);
    worker.now_ms += 1;
    placement_on_turn_end(placement, &worker);
    cr_assert_eq(placement_reserve(placement, topic, 1, true), 0);
    leave_all(topic);
}

Test(placement, without_one_each_stays_where_it_is)
{
    struct topic *topic = topic_of(0);
    struct worker worker = {.index = 1};

    cr_assert_eq(placement_reserve(NULL, topic, 2, true), 2);
    placement_enter(NULL, topic, 2, true);
    placement_on_turn_end(NULL, &worker);
    cr_assert_eq(topic->parts[2].readers, 0);
    placement_leave(NULL, topic, 2, true);
    placement_destroy(NULL);
    topic_unref(topic);
}

Test(placement, member_that_never_came_cannot_leave, .signal = SIGABRT)
{
    placement_leave(placement, topic_of(0), 0, true);
}
