/* Goal: there is one topic of a name, exactly while somebody needs it, and its mask says which
 * workers have subscribers.
 * Method: one thread; several threads do the same in tests/loop/workers_test.c. */
#include <signal.h>
#include <stdio.h>

#include "tests/unit/server/hub/hub_fixture.h"

static struct topic_registry registry;

static void open_registry(void)
{
    topic_registry_init(&registry, 4);
}

static void close_registry(void)
{
    topic_registry_deinit(&registry);
}

TestSuite(topic, .init = open_registry, .fini = close_registry);

Test(topic, is_the_same_for_all_who_ask_for_its_name)
{
    struct topic *a = topic_find_or_create(&registry, "pend13-st-video");
    struct topic *b = topic_find_or_create(&registry, "pend13-st-data");
    struct topic *again = topic_find_or_create(&registry, "pend13-st-video");

    cr_assert_not_null(a);
    cr_assert_eq(a, again);
    cr_assert_neq(a, b);
    cr_assert_str_eq(a->name, "pend13-st-video");
    cr_assert_eq(a->references, 2);
    cr_assert_eq(registry.topics_count, 2);
    topic_unref(a);
    topic_unref(b);
    topic_unref(again);
}

Test(topic, lives_while_it_is_referenced)
{
    struct topic *topic = topic_find_or_create(&registry, "t");

    topic_ref(topic);
    topic_unref(topic);
    cr_assert_eq(registry.topics_count, 1);
    topic_unref(topic);
    cr_assert_eq(registry.topics_count, 0);
    topic = topic_find_or_create(&registry, "t");
    cr_assert_eq(topic->references, 1);
    cr_assert_eq(topic->interested, 0);
    topic_unref(topic);
}

Test(topic, can_have_any_name_that_fits)
{
    static const char *const names[] = {"", "a b", "stream/front/large", "\xc3\xa9", "a", "A"};
    struct topic *topics[ARRAY_LENGTH(names)];
    char longest[TOPIC_NAME_SIZE], too_long[TOPIC_NAME_SIZE + 1];

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        topics[i] = topic_find_or_create(&registry, names[i]);
        cr_assert_str_eq(topics[i]->name, names[i]);
    }
    cr_assert_eq(registry.topics_count, ARRAY_LENGTH(names));
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    memset(too_long, 'x', sizeof too_long);
    too_long[sizeof too_long - 1] = '\0';
    struct topic *topic = topic_find_or_create(&registry, longest);

    cr_assert_str_eq(topic->name, longest);
    cr_assert_null(topic_find_or_create(&registry, too_long));
    topic_unref(topic);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        topic_unref(topics[i]);
    }
}

Test(topic, is_found_among_many_more_than_there_are_buckets)
{
    enum { MANY = 3 * TOPIC_BUCKETS };
    static struct topic *topics[MANY];
    char name[16];

    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "%u", i);
        topics[i] = topic_find_or_create(&registry, name);
    }
    cr_assert_eq(registry.topics_count, MANY);
    for (unsigned i = 0; i < MANY; i += 2) {
        topic_unref(topics[i]);
    }
    for (unsigned i = 1; i < MANY; i += 2) {
        snprintf(name, sizeof name, "%u", i);
        struct topic *found = topic_find_or_create(&registry, name);

        cr_assert_eq(found, topics[i]);
        topic_unref(found);
        topic_unref(found);
    }
}

Test(topic, mask_says_which_workers_have_subscribers)
{
    struct worker workers[4];
    struct subscriber subscribers[4][2];
    struct topic *topic = topic_find_or_create(&registry, "t");

    for (unsigned i = 0; i < 4; i++) {
        workers[i] = (struct worker){.index = i};
        list_init(&subscribers[i][0].node);
        list_init(&subscribers[i][1].node);
        topic_subscribe(topic, &workers[i], &subscribers[i][0]);
        cr_assert_eq(topic->interested, (2u << i) - 1);
        topic_subscribe(topic, &workers[i], &subscribers[i][1]);
        cr_assert_eq(topic->interested, (2u << i) - 1);
        cr_assert_eq(topic->parts[i].subscribers_count, 2);
    }
    topic_unsubscribe(topic, &workers[2], &subscribers[2][0]);
    cr_assert_eq(topic->interested, 0xf, "one is left");
    topic_unsubscribe(topic, &workers[2], &subscribers[2][1]);
    cr_assert_eq(topic->interested, 0xb);
    topic_subscribe(topic, &workers[2], &subscribers[2][1]);
    cr_assert_eq(topic->interested, 0xf);
    topic_unsubscribe(topic, &workers[2], &subscribers[2][1]);
    for (unsigned i = 0; i < 4; i++) {
        if (i != 2) {
            topic_unsubscribe(topic, &workers[i], &subscribers[i][1]);
            topic_unsubscribe(topic, &workers[i], &subscribers[i][0]);
        }
    }
    cr_assert_eq(topic->interested, 0);
    topic_unref(topic);
}

Test(topic, has_a_part_for_each_worker_on_cache_lines_of_its_own)
{
    struct topic *topic = topic_find_or_create(&registry, "t");

    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq((uintptr_t)&topic->parts[i] % 64, 0);
        cr_assert(list_empty(&topic->parts[i].subscribers));
    }
    topic_unref(topic);
}

Test(topic, lives_while_a_worker_has_messages_charged_to_it)
{
    struct worker workers[2] = {{.index = 0}, {.index = 3}};
    struct topic *topic = topic_find_or_create(&registry, "t");

    topic_charge(topic, &workers[0], 100);
    topic_charge(topic, &workers[0], 20);
    topic_charge(topic, &workers[1], 7);
    cr_assert_eq(topic->parts[0].budget.bytes, 120);
    cr_assert_eq(topic->parts[3].budget.bytes, 7);
    topic_unref(topic);
    topic_credit(topic, &workers[0], 20);
    topic_credit(topic, &workers[1], 7);
    cr_assert_eq(registry.topics_count, 1);
    topic_credit(topic, &workers[0], 100);
    cr_assert_eq(registry.topics_count, 0);
}

Test(topic, takes_its_share_of_the_memory_of_the_worker)
{
    struct worker worker;
    struct topic *topic = topic_find_or_create(&registry, "t");

    lone_worker_init(&worker, 900000);
    cr_assert(topic_may_take(topic, &worker, 600000));
    cr_assert(!topic_may_take(topic, &worker, 600001));
    topic_charge(topic, &worker, 300000);
    cr_assert(!topic_may_take(topic, &worker, 600000));
    topic_credit(topic, &worker, 300000);
    lone_worker_deinit(&worker);
    topic_unref(topic);
}

Test(topic, does_not_end_while_memory_is_charged_to_it, .signal = SIGABRT)
{
    struct worker worker = {.index = 0};
    struct topic *topic = topic_find_or_create(&registry, "t");

    topic_charge(topic, &worker, 100);
    topic_unref(topic);
    topic_unref(topic); /* one too many: that of the charge */
}

Test(topic, registry_does_not_end_while_a_topic_is_used, .signal = SIGABRT)
{
    cr_assert_not_null(topic_find_or_create(&registry, "left behind"));
    topic_registry_deinit(&registry);
}

Test(topic, cannot_be_left_by_more_than_joined, .signal = SIGABRT)
{
    struct worker worker = {.index = 0};
    struct subscriber subscriber;
    struct topic *topic = topic_find_or_create(&registry, "t");

    list_init(&subscriber.node);
    topic_subscribe(topic, &worker, &subscriber);
    topic_unsubscribe(topic, &worker, &subscriber);
    topic_unsubscribe(topic, &worker, &subscriber);
}

Test(topic, cannot_be_joined_twice, .signal = SIGABRT)
{
    struct worker worker = {.index = 0};
    struct subscriber subscriber;
    struct topic *topic = topic_find_or_create(&registry, "t");

    list_init(&subscriber.node);
    topic_subscribe(topic, &worker, &subscriber);
    topic_subscribe(topic, &worker, &subscriber);
}
