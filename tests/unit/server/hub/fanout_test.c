/* Goal: what is published reaches every other subscriber of its topic once, on its own worker by
 * reference and on others in parcels; where it cannot, the loss is counted and no memory is.
 * Method: workers turned by hand, real letters. */
#include "tests/unit/server/hub/hub_fixture.h"

struct scene {
    struct cluster cluster;
    struct topic_registry registry;
    struct topic *topic;
};

struct listener {
    struct subscriber subscriber;
    struct worker *worker;
    unsigned told;
};

static struct scene scene;

static void open_scene(void)
{
    cluster_init(&scene.cluster, 3);
    topic_registry_init(&scene.registry, 3);
    scene.topic = topic_find_or_create(&scene.registry, "t");
}

static void close_scene(void)
{
    topic_unref(scene.topic);
    topic_registry_deinit(&scene.registry);
    cluster_deinit(&scene.cluster);
}

TestSuite(fanout, .init = open_scene, .fini = close_scene);

static void on_queued(struct subscriber *subscriber)
{
    container_of(subscriber, struct listener, subscriber)->told++;
}

static void listen_on(struct listener *listener, struct topic *topic, unsigned worker)
{
    *listener = (struct listener){.subscriber.on_queued = on_queued,
                                  .worker = &scene.cluster.workers[worker]};
    list_init(&listener->subscriber.node);
    send_queue_init(&listener->subscriber.queue);
    topic_subscribe(topic, listener->worker, &listener->subscriber);
}

static void stop_listening(struct listener *listener, struct topic *topic)
{
    topic_unsubscribe(topic, listener->worker, &listener->subscriber);
    send_queue_clear(&listener->subscriber.queue, listener->worker);
}

static void publish(unsigned worker, const char *text, struct listener *publisher)
{
    struct worker *home = &scene.cluster.workers[worker];

    fanout_publish(home, scene.topic, message_of_text(home, WS_OPCODE_TEXT, text),
                   publisher == NULL ? NULL : &publisher->subscriber, &scene.cluster.bounds);
}

/* Takes everything out of the queue; it must be these texts. */
static void expect_texts(struct listener *listener, const char *const *texts, unsigned count)
{
    struct send_queue *queue = &listener->subscriber.queue;

    cr_assert_eq(listener->told, count);
    for (unsigned i = 0; i < count; i++) {
        struct iovec slices[1];

        cr_assert_eq(send_queue_begin(queue, listener->worker, slices, 1), 1);
        cr_assert_eq(slices[0].iov_len, strlen(texts[i]) + 2);
        cr_assert_eq(memcmp((const char *)slices[0].iov_base + 2, texts[i], strlen(texts[i])), 0);
        cr_assert_eq(send_queue_end(queue, listener->worker, slices[0].iov_len), 1);
    }
    cr_assert(send_queue_empty(queue));
    listener->told = 0;
}

Test(fanout, reaches_every_subscriber_on_every_worker_in_order)
{
    struct listener listeners[6];
    const char *const texts[] = {"one", "two", "three"};

    for (unsigned i = 0; i < 6; i++) {
        listen_on(&listeners[i], scene.topic, i / 2);
    }
    for (unsigned i = 0; i < 3; i++) {
        publish(1, texts[i], NULL);
    }
    cr_assert_eq(cluster_letters_sent(&scene.cluster), 0, "they leave at the end of the turn");
    fanout_flush(&scene.cluster.workers[1]);
    cr_assert_eq(cluster_letters_sent(&scene.cluster), 2, "one for each other worker");
    fanout_flush(&scene.cluster.workers[1]);
    cr_assert_eq(cluster_letters_sent(&scene.cluster), 2, "and only once");
    cluster_settle(&scene.cluster);
    for (unsigned i = 0; i < 6; i++) {
        expect_texts(&listeners[i], texts, 3);
    }
    cluster_settle(&scene.cluster);
    cr_assert_eq(scene.cluster.workers[1].blocks.blocks_used, 0, "all came home");
    cr_assert_eq(scene.topic->parts[1].underway.messages, 0);
    for (unsigned i = 0; i < 6; i++) {
        stop_listening(&listeners[i], scene.topic);
    }
}

Test(fanout, gives_the_publisher_nothing_back)
{
    struct listener publisher, other;
    const char *const texts[] = {"hello"};

    listen_on(&publisher, scene.topic, 0);
    listen_on(&other, scene.topic, 0);
    publish(0, "hello", &publisher);
    expect_texts(&publisher, NULL, 0);
    expect_texts(&other, texts, 1);
    stop_listening(&publisher, scene.topic);
    stop_listening(&other, scene.topic);
}

Test(fanout, keeps_topics_apart)
{
    struct listener here, elsewhere;
    struct topic *other = topic_find_or_create(&scene.registry, "other");
    const char *const texts[] = {"for t"};

    listen_on(&here, scene.topic, 1);
    listen_on(&elsewhere, other, 1);
    publish(1, "for t", NULL);
    publish(0, "for t", NULL);
    cluster_settle(&scene.cluster);
    expect_texts(&elsewhere, NULL, 0);
    here.told--;
    struct iovec slices[1];

    cr_assert_eq(send_queue_begin(&here.subscriber.queue, here.worker, slices, 1), 1);
    send_queue_end(&here.subscriber.queue, here.worker, slices[0].iov_len);
    expect_texts(&here, texts, 1);
    cluster_settle(&scene.cluster);
    stop_listening(&here, scene.topic);
    stop_listening(&elsewhere, other);
    topic_unref(other);
}

Test(fanout, sends_no_letter_to_a_worker_without_subscribers)
{
    struct listener listener;

    publish(0, "unheard", NULL);
    cr_assert_eq(scene.cluster.workers[0].blocks.blocks_used, 0);
    listen_on(&listener, scene.topic, 2);
    publish(0, "to one", NULL);
    cr_assert_eq(scene.topic->parts[0].underway.messages, 1);
    stop_listening(&listener, scene.topic);
    publish(0, "too late", NULL);
    cr_assert_eq(scene.topic->parts[0].underway.messages, 1);
    cluster_settle(&scene.cluster);
    cr_assert_eq(scene.cluster.homecomings, 1, "the listener left before its letter came");
    cr_assert_eq(scene.cluster.workers[0].blocks.blocks_used, 0);
}

Test(fanout, keeps_a_topic_alive_for_letters_on_their_way)
{
    struct listener listener;

    listen_on(&listener, scene.topic, 2);
    publish(0, "last words", NULL);
    stop_listening(&listener, scene.topic);
    topic_unref(scene.topic);
    cr_assert_eq(scene.registry.topics_count, 1);
    cluster_settle(&scene.cluster);
    cr_assert_eq(scene.registry.topics_count, 0);
    scene.topic = topic_find_or_create(&scene.registry, "t");
}

Test(fanout, drops_and_counts_letters_to_a_worker_that_is_too_far_behind)
{
    struct listener near, far;
    const char *const texts[] = {"x", "y"};

    listen_on(&near, scene.topic, 1);
    listen_on(&far, scene.topic, 2);
    atomic_store(&scene.cluster.workers[2].letters_pending, LETTERS_PENDING_MAX);
    publish(0, "x", NULL);
    fanout_flush(&scene.cluster.workers[0]);
    cr_assert_eq(counted(&scene.cluster.workers[0], messages_dropped_mailbox), 1);
    cr_assert_eq(scene.cluster.workers[0].alarms.limits[ALARM_MAILBOX].lines, 1);
    atomic_store(&scene.cluster.workers[2].letters_pending, LETTERS_PENDING_MAX - 1);
    publish(0, "y", NULL);
    fanout_flush(&scene.cluster.workers[0]);
    cr_assert_eq(scene.cluster.workers[2].letters_pending, LETTERS_PENDING_MAX);
    cr_assert_eq(counted(&scene.cluster.workers[0], messages_dropped_mailbox), 1);
    cluster_settle(&scene.cluster);
    expect_texts(&near, texts, 2);
    expect_texts(&far, &texts[1], 1);
    atomic_store(&scene.cluster.workers[2].letters_pending, 0);
    cluster_settle(&scene.cluster);
    stop_listening(&near, scene.topic);
    stop_listening(&far, scene.topic);
}

Test(fanout, drops_and_counts_what_arrives_without_memory)
{
    struct listener listener;

    listen_on(&listener, scene.topic, 1);
    scene.cluster.workers[1].blocks.bytes_max = 0;
    publish(0, "x", NULL);
    cluster_settle(&scene.cluster);
    cr_assert_eq(counted(&scene.cluster.workers[1], messages_dropped_memory), 1);
    cr_assert_eq(scene.cluster.workers[1].alarms.limits[ALARM_MESSAGE_MEMORY].lines, 1);
    expect_texts(&listener, NULL, 0);
    cr_assert_eq(scene.cluster.workers[0].blocks.blocks_used, 0, "it came home all the same");
    stop_listening(&listener, scene.topic);
}

Test(fanout, tells_a_subscriber_only_of_what_it_got)
{
    struct listener listener;
    struct block_pool *blocks = &scene.cluster.workers[0].blocks;
    const char *const texts[SEND_QUEUE_INLINE] = {"m", "m", "m", "m"};

    listen_on(&listener, scene.topic, 0);
    publish(0, "m", NULL);
    size_t message_bytes = blocks->bytes_held;

    for (unsigned i = 1; i < SEND_QUEUE_INLINE; i++) {
        publish(0, "m", NULL);
    }
    /* For one more message, and for no block of places to wait at. */
    blocks->bytes_max = blocks->bytes_held + message_bytes + 64;
    publish(0, "no room", NULL);
    cr_assert_eq(listener.told, SEND_QUEUE_INLINE);
    cr_assert_eq(counted(&scene.cluster.workers[0], messages_dropped_memory), 1);
    expect_texts(&listener, texts, SEND_QUEUE_INLINE);
    stop_listening(&listener, scene.topic);
}

Test(fanout, does_not_let_a_slow_subscriber_hold_up_another)
{
    struct listener slow, quick;
    const char *const texts[] = {"m"};

    scene.cluster.bounds.messages_max = 4;
    listen_on(&slow, scene.topic, 1);
    listen_on(&quick, scene.topic, 1);
    for (unsigned i = 0; i < 50; i++) {
        publish(0, "m", NULL);
        cluster_settle(&scene.cluster);
        expect_texts(&quick, texts, 1);
        if (i == 0) {
            struct iovec slices[1];

            cr_assert_eq(send_queue_begin(&slow.subscriber.queue, slow.worker, slices, 1), 1);
            slow.worker->whole_turns += 2;
        }
    }
    cluster_settle(&scene.cluster);
    cr_assert_eq(slow.subscriber.queue.count, 1 + 4);
    cr_assert_eq(scene.cluster.workers[0].blocks.blocks_used, 5, "the others came home");
    cr_assert_eq(counted(&scene.cluster.workers[1], messages_dropped_queue), 45);
    send_queue_end(&slow.subscriber.queue, slow.worker, 0);
    stop_listening(&slow, scene.topic);
    stop_listening(&quick, scene.topic);
    cluster_settle(&scene.cluster);
}

Test(fanout, each_is_sent_to_first_in_its_turn)
{
    struct listener listeners[3];
    struct list *subscribers = &scene.topic->parts[0].subscribers;
    const char *const texts[] = {"a", "b", "c"};

    for (unsigned i = 0; i < 3; i++) {
        listen_on(&listeners[i], scene.topic, 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(subscribers->next, &listeners[i].subscriber.node);
        publish(0, texts[i], NULL);
    }
    cr_assert_eq(subscribers->next, &listeners[0].subscriber.node);
    for (unsigned i = 0; i < 3; i++) {
        expect_texts(&listeners[i], texts, 3);
        stop_listening(&listeners[i], scene.topic);
    }
}
