/* Goal: a parcel carries a turn's messages of one topic to the workers that had subscribers when
 * each was published, in order, and comes home from wherever it ends; publishers wait while too
 * much is on its way, and are told. Method: workers turned by hand, real letters; at random against
 * a model of what each must get. */
#include "server/hub/parcel.h"

#include <signal.h>
#include <stdlib.h>

#include "tests/unit/server/hub/hub_fixture.h"

enum { WORKERS = 3, TOPICS = 3, STEPS = 3000, TOLD_MAX = 4 };

struct listener {
    struct subscriber subscriber;
    struct worker *worker;
    unsigned told;
};

static struct cluster cluster;
static struct topic_registry registry;
static struct topic *topic;

static void open_scene(void)
{
    cluster_init(&cluster, WORKERS);
    topic_registry_init(&registry, WORKERS);
    topic = topic_find_or_create(&registry, "t");
}

static void close_scene(void)
{
    topic_unref(topic);
    topic_registry_deinit(&registry);
    cluster_deinit(&cluster);
}

TestSuite(parcel, .init = open_scene, .fini = close_scene);

static void on_queued(struct subscriber *subscriber)
{
}

static void on_room(struct subscriber *subscriber)
{
    cr_assert(list_empty(&subscriber->room_node));
    container_of(subscriber, struct listener, subscriber)->told++;
}

static void init_listener(struct listener *listener, unsigned worker)
{
    *listener = (struct listener){.subscriber = {.on_queued = on_queued, .on_room = on_room},
                                  .worker = &cluster.workers[worker]};
    list_init(&listener->subscriber.node);
    list_init(&listener->subscriber.room_node);
    send_queue_init(&listener->subscriber.queue);
}

static void listen_on(struct listener *listener, struct topic *to, unsigned worker)
{
    init_listener(listener, worker);
    topic_subscribe(to, listener->worker, &listener->subscriber);
}

static void stop_listening(struct listener *listener, struct topic *to)
{
    topic_unsubscribe(to, listener->worker, &listener->subscriber);
    send_queue_clear(&listener->subscriber.queue, listener->worker);
}

static void publish(struct topic *to, unsigned worker, const char *text)
{
    struct worker *home = &cluster.workers[worker];

    fanout_publish(home, to, message_of_text(home, WS_OPCODE_TEXT, text), NULL, &cluster.bounds);
}

/* Takes everything out; returns how many there were. */
static unsigned take_all(struct listener *listener)
{
    unsigned count = listener->subscriber.queue.count;

    send_queue_clear(&listener->subscriber.queue, listener->worker);
    return count;
}

static const struct underway *underway_from(unsigned worker)
{
    return &topic->parts[worker].underway;
}

Test(parcel, many_messages_need_few_letters)
{
    struct listener listener;

    listen_on(&listener, topic, 1);
    for (unsigned i = 0; i < 2 * PARCEL_MESSAGES_MAX + 1; i++) {
        publish(topic, 0, "x");
    }
    cr_assert_eq(underway_from(0)->messages, 2 * PARCEL_MESSAGES_MAX + 1);
    cr_assert_eq(underway_from(0)->bytes, 3 * (2 * PARCEL_MESSAGES_MAX + 1));
    fanout_flush(&cluster.workers[0]);
    cr_assert_eq(cluster_letters_sent(&cluster), 3);
    cluster_settle(&cluster);
    cr_assert_eq(take_all(&listener), 2 * PARCEL_MESSAGES_MAX + 1);
    cluster_settle(&cluster);
    cr_assert_leq(cluster_letters_sent(&cluster), 3 + 2, "home they need fewer still");
    cr_assert_eq(cluster.workers[0].blocks.blocks_used, 0);
    underway_check_empty(underway_from(0));
    stop_listening(&listener, topic);
}

Test(parcel, goes_home_with_its_messages_where_viewers_are_quick)
{
    struct worker *home = &cluster.workers[0], *away = &cluster.workers[1];
    struct listener viewer;

    listen_on(&viewer, topic, 1);
    publish(topic, 0, "x");
    fanout_flush(home);
    cluster_turn(&cluster, home); /* which submits the letter */
    cluster_turn(&cluster, away);
    cr_assert_eq(cluster_letters_sent(&cluster), 1);
    take_all(&viewer);
    cluster_turn(&cluster, away);
    cr_assert_eq(cluster_letters_sent(&cluster), 2);
    cluster_turn(&cluster, away); /* which submits it */
    cluster_turn(&cluster, home);
    cr_assert_eq(home->blocks.blocks_used, 0);
    stop_listening(&viewer, topic);
}

Test(parcel, goes_only_where_there_were_subscribers)
{
    struct listener early, late;

    listen_on(&early, topic, 1);
    publish(topic, 0, "before");
    listen_on(&late, topic, 2);
    publish(topic, 0, "after");
    cluster_settle(&cluster);
    cr_assert_eq(take_all(&early), 2);
    cr_assert_eq(take_all(&late), 1);
    stop_listening(&early, topic);
    stop_listening(&late, topic);
    cluster_settle(&cluster);
}

Test(parcel, keeps_its_topic_until_it_is_home)
{
    struct listener listener;

    listen_on(&listener, topic, 1);
    publish(topic, 0, "x");
    fanout_flush(&cluster.workers[0]);
    stop_listening(&listener, topic);
    topic_unref(topic);
    cr_assert_eq(topic_registry_count(&registry), 1);
    cluster_settle(&cluster);
    cr_assert_eq(topic_registry_count(&registry), 0);
    topic = topic_find_or_create(&registry, "t");
}

Test(parcel, without_memory_for_it_messages_are_lost_to_others_and_counted)
{
    struct listener near, far;

    listen_on(&near, topic, 0);
    listen_on(&far, topic, 1);
    struct message *message = message_of_text(&cluster.workers[0], WS_OPCODE_TEXT, "x");

    cluster.workers[0].blocks.bytes_max = cluster.workers[0].blocks.bytes_held;
    fanout_publish(&cluster.workers[0], topic, message, NULL, &cluster.bounds);
    cluster.workers[0].blocks.bytes_max = CLUSTER_MEMORY;
    cr_assert_eq(counted(&cluster.workers[0], messages_dropped_memory), 1);
    publish(topic, 0, "y");
    cluster_settle(&cluster);
    cr_assert_eq(take_all(&near), 2);
    cr_assert_eq(take_all(&far), 1);
    stop_listening(&near, topic);
    stop_listening(&far, topic);
    cluster_settle(&cluster);
}

Test(parcel, one_that_came_back_is_lost_and_counted)
{
    struct listener listener;
    struct outbox_item *item;

    listen_on(&listener, topic, 1);
    publish(topic, 0, "x");
    publish(topic, 0, "y");
    item = outbox_take(&cluster.workers[0].outbox);
    struct parcel *parcel = container_of(item, struct parcel, item);

    parcel_post(&cluster.workers[0], parcel);
    atomic_fetch_sub(&cluster.workers[1].letters_pending, 1);
    ring_close(&cluster.workers[0].ring); /* with the letter in it */
    cr_assert_eq(ring_open(&cluster.workers[0].ring, 64, 1024), 0);
    cluster.letters_taken++;
    parcel_give_up(&cluster.workers[0], parcel);
    cr_assert_eq(counted(&cluster.workers[0], messages_dropped_mailbox), 2);
    cr_assert_eq(cluster.workers[0].blocks.blocks_used, 0);
    underway_check_empty(underway_from(0));
    stop_listening(&listener, topic);
}

/* Publishes until there is no room. */
static void fill(void)
{
    while (underway_has_room(underway_from(0))) {
        publish(topic, 0, "x");
    }
}

Test(parcel, publishers_wait_for_room_and_are_told_of_it)
{
    struct listener viewer, publishers[TOLD_MAX];

    cluster.bounds.messages_max = UNDERWAY_MESSAGES_MAX + 1;
    listen_on(&viewer, topic, 1);
    fill();
    cr_assert_eq(underway_from(0)->messages, UNDERWAY_MESSAGES_MAX);
    for (unsigned i = 0; i < TOLD_MAX; i++) {
        init_listener(&publishers[i], 0);
        underway_await_room(&topic->parts[0].underway, &publishers[i].subscriber);
    }
    list_remove(&publishers[1].subscriber.room_node); /* it left */
    publish(topic, 0, "one that was not stopped");
    cr_assert_eq(underway_from(0)->messages, UNDERWAY_MESSAGES_MAX + 1);
    cluster_settle(&cluster);
    for (unsigned i = 0; i < TOLD_MAX; i++) {
        cr_assert_eq(publishers[i].told, i == 1 ? 0 : 1);
    }
    cr_assert_eq(take_all(&viewer), UNDERWAY_MESSAGES_MAX + 1, "a slow viewer takes no room");
    underway_check_empty(underway_from(0));
    stop_listening(&viewer, topic);
    cluster_settle(&cluster);
}

Test(parcel, bytes_take_room_as_well)
{
    static char text[1 << 20];
    struct listener viewer;
    unsigned count = 0;

    memset(text, 'x', sizeof text - 1);
    listen_on(&viewer, topic, 1);
    for (; underway_has_room(underway_from(0)); count++) {
        publish(topic, 0, text);
    }
    cr_assert_eq(count, UNDERWAY_BYTES_MAX / sizeof text);
    cluster_settle(&cluster);
    cr_assert(underway_has_room(underway_from(0)));
    stop_listening(&viewer, topic);
    cluster_settle(&cluster);
}

/* Each message's text is its number; each listener must get those that were published to its topic
 * while it listened, in the order of each publishing worker. */
struct model {
    struct topic *topics[TOPICS];
    struct listener listeners[TOPICS][WORKERS];
    bool listens[TOPICS][WORKERS];
    unsigned expected[TOPICS][WORKERS]; /* not yet taken */
    unsigned last[TOPICS][WORKERS][WORKERS];
    unsigned number;
};

static void take_and_check(struct model *model, unsigned index, unsigned worker)
{
    struct send_queue *queue = &model->listeners[index][worker].subscriber.queue;

    cr_assert_eq(queue->count, model->expected[index][worker]);
    model->expected[index][worker] = 0;
    for (unsigned i = 0; i < queue->count; i++) {
        const struct message *message = send_queue_at(queue, i);
        unsigned number = (unsigned)strtoul((const char *)message->payload, NULL, 10);
        unsigned *last = &model->last[index][worker][message->home];

        cr_assert_eq(message->topic, model->topics[index]);
        cr_assert_gt(number, *last);
        *last = number;
    }
    send_queue_clear(queue, &cluster.workers[worker]);
}

static void settle_and_check(struct model *model)
{
    cluster_settle(&cluster);
    for (unsigned index = 0; index < TOPICS; index++) {
        for (unsigned worker = 0; worker < WORKERS; worker++) {
            if (model->listens[index][worker]) {
                take_and_check(model, index, worker);
            }
        }
    }
    cluster_settle(&cluster);
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        cr_assert_eq(cluster.workers[worker].blocks.blocks_used, 0);
    }
}

static void publish_number(struct model *model, unsigned index, unsigned worker)
{
    char text[16];

    snprintf(text, sizeof text, "%u", ++model->number);
    /* A terminator, for strtoul. */
    struct message *message = message_create(&cluster.workers[worker], strlen(text) + 1);

    memcpy(message->payload, text, strlen(text) + 1);
    message->payload_len = (uint32_t)strlen(text);
    message_frame(message, WS_OPCODE_TEXT);
    fanout_publish(&cluster.workers[worker], model->topics[index], message, NULL, &cluster.bounds);
    for (unsigned i = 0; i < WORKERS; i++) {
        model->expected[index][i] += model->listens[index][i] ? 1 : 0;
    }
}

/* Its messages that are on their way are lost to a listener that leaves: it leaves after them. */
static void come_or_go(struct model *model, unsigned index, unsigned worker)
{
    if (model->listens[index][worker]) {
        settle_and_check(model);
        stop_listening(&model->listeners[index][worker], model->topics[index]);
    } else {
        listen_on(&model->listeners[index][worker], model->topics[index], worker);
    }
    model->listens[index][worker] = !model->listens[index][worker];
}

Test(parcel, agrees_with_a_model_at_random)
{
    static struct model model;
    unsigned seed = 1;

    cluster.bounds.messages_max = SEND_BURST_MAX;
    for (unsigned i = 0; i < TOPICS; i++) {
        model.topics[i] = topic_find_or_create(&registry, (const char *[]){"a", "b", "c"}[i]);
    }
    for (unsigned i = 0; i < STEPS; i++) {
        unsigned index = (unsigned)rand_r(&seed) % TOPICS;
        unsigned worker = (unsigned)rand_r(&seed) % WORKERS;

        switch (rand_r(&seed) % 16) {
        case 0:
            come_or_go(&model, index, worker);
            break;
        case 1:
            cluster_end_turn(&cluster.workers[worker]);
            break;
        case 2:
            settle_and_check(&model);
            break;
        default:
            publish_number(&model, index, worker);
        }
    }
    settle_and_check(&model);
    for (unsigned i = 0; i < TOPICS; i++) {
        for (unsigned worker = 0; worker < WORKERS; worker++) {
            if (model.listens[i][worker]) {
                stop_listening(&model.listeners[i][worker], model.topics[i]);
            }
        }
        topic_unref(model.topics[i]);
    }
}
