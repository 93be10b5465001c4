/* Goal: each message and each topic of a worker has one number in a census, whatever numbers they
 * had in one before. Method: a worker that only has memory. */
#include "server/handover/live/live_census.h"

#include "tests/unit/server/hub/hub_fixture.h"

static struct worker worker;
static struct topic_registry registry;
static struct topic *topics[2];
static struct live_census census;

static void open_worker(void)
{
    lone_worker_init(&worker, 1 << 20);
    topic_registry_init(&registry, 1);
    topics[0] = topic_find_or_create(&registry, "a");
    topics[1] = topic_find_or_create(&registry, "b");
    live_census_init(&census, &worker);
}

static void close_worker(void)
{
    live_census_deinit(&census);
    topic_unref(topics[0]);
    topic_unref(topics[1]);
    topic_registry_deinit(&registry);
    lone_worker_deinit(&worker);
}

TestSuite(live_census, .init = open_worker, .fini = close_worker);

static struct message *queue_message(struct send_queue *queue, struct topic *topic)
{
    struct message *message = message_of_text(&worker, WS_OPCODE_TEXT, "text");

    if (topic != NULL) {
        message_charge(&worker, message, topic);
    }
    cr_assert(send_queue_insert(queue, &worker, queue->count, send_entry_of(&message->home_share)));
    return message;
}

Test(live_census, message_has_one_number_wherever_it_waits)
{
    struct send_queue queues[2];

    send_queue_init(&queues[0]);
    send_queue_init(&queues[1]);
    struct message *one = queue_message(&queues[0], topics[1]);
    struct message *two = queue_message(&queues[0], NULL);

    cr_assert(send_queue_insert(&queues[1], &worker, 0, send_entry_of(&two->home_share)));
    cr_assert(send_queue_insert(&queues[1], &worker, 1, send_entry_of(&one->home_share)));
    live_census_add_queue(&census, &queues[0]);
    live_census_add_queue(&census, &queues[1]);
    cr_assert_eq(census.shares_count, 2);
    cr_assert_eq(live_census_share(&census, &one->home_share), 0);
    cr_assert_eq(live_census_share(&census, &two->home_share), 1);
    cr_assert_eq(census.topics_count, 1);
    cr_assert_eq(live_census_topic(&census, topics[1]), 0);
    message_release(&worker, one);
    message_release(&worker, two);
    send_queue_clear(&queues[0], &worker);
    send_queue_clear(&queues[1], &worker);
}

Test(live_census, numbers_of_an_earlier_one_do_not_count)
{
    live_census_add_topic(&census, topics[0]);
    live_census_add_topic(&census, topics[1]);
    live_census_add_topic(&census, topics[0]);
    cr_assert_eq(census.topics_count, 2);
    live_census_deinit(&census);
    live_census_init(&census, &worker);
    live_census_add_topic(&census, topics[1]);
    live_census_add_topic(&census, topics[0]);
    cr_assert_eq(live_census_topic(&census, topics[1]), 0);
    cr_assert_eq(live_census_topic(&census, topics[0]), 1);
}

Test(live_census, there_may_be_many)
{
    struct send_queue queue;

    send_queue_init(&queue);
    for (unsigned i = 0; i < 1000; i++) {
        message_release(&worker, queue_message(&queue, NULL));
    }
    live_census_add_queue(&census, &queue);
    cr_assert_eq(census.shares_count, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        cr_assert_eq(live_census_share(&census, send_queue_entry(&queue, i)->share), i);
    }
    cr_assert_not(census.has_failed);
    send_queue_clear(&queue, &worker);
}

Test(live_census, number_of_what_was_not_added_is_a_fault, .signal = SIGABRT)
{
    live_census_topic(&census, topics[0]);
}
