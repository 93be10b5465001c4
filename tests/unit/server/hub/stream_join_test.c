/* Goal: a viewer that joins gets the newest key picture and all that follows it, once and in order,
 * whichever worker it is on and whatever is on its way at that moment; where there is no key
 * picture to start with, it awaits one or gets what comes; leaving while an answer is on its way
 * costs nothing. Method: workers turned by hand, real letters; single cases, and random
 * interleavings of publishing, joining, leaving and turns against what was published. */
#include <stdio.h>
#include <stdlib.h>

#include "server/hub/lag/key_wait.h"
#include "server/hub/stream_cache.h"
#include "server/hub/stream_join.h"
#include "tests/unit/server/hub/hub_fixture.h"

enum { WORKERS = 3, TEXT_MAX = 64 };

struct scene {
    struct cluster cluster;
    struct topic_registry registry;
    struct topic *topic;
    struct subscriber publishers[WORKERS]; /* one on each worker, without scope to read */
};

struct viewer {
    struct subscriber subscriber;
    struct worker *worker;
    unsigned told;
    char got[4096];
};

static struct scene scene;

static void open_scene(void)
{
    cluster_init(&scene.cluster, WORKERS);
    topic_registry_init(&scene.registry, WORKERS);
    scene.registry.cache_bounds =
        (struct stream_cache_bounds){.bytes_max = 1 << 20, .time_ms_max = 10000};
    scene.topic = topic_find_or_create(&scene.registry, "camera");
    for (unsigned i = 0; i < WORKERS; i++) {
        timer_wheel_init(&scene.cluster.workers[i].timers, 0);
    }
}

static void close_scene(void)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        stream_cache_drop_all(&scene.cluster.workers[i], &scene.registry);
    }
    cluster_settle(&scene.cluster);
    CHECK(scene.topic->cache_home == 0);
    topic_unref(scene.topic);
    topic_registry_deinit(&scene.registry);
    cluster_deinit(&scene.cluster);
}

TestSuite(stream_join, .init = open_scene, .fini = close_scene);

static struct worker *worker_of(unsigned index)
{
    return &scene.cluster.workers[index];
}

/* Two bytes of the previous picture, then the text; where starts_at_boundary is set the previous
 * message was all of its picture. */
static void publish_message(unsigned worker, enum message_class class, const char *text,
                            bool starts_at_boundary)
{
    struct worker *home = worker_of(worker);
    char padded[TEXT_MAX];

    snprintf(padded, sizeof padded, "..%s", text);
    struct message *message = message_of_text(home, WS_OPCODE_TEXT, padded);

    message->class = class;
    message->received_ms = home->now_ms;
    message->starts_at_boundary = starts_at_boundary;
    message_charge(home, message, scene.topic);
    if (class == MESSAGE_KEY) {
        cr_assert(message_part_start_at(home, message, 2, bytes_of_text(">"), 2));
    }
    fanout_publish(home, scene.topic, message, &scene.publishers[worker], &scene.cluster.bounds);
}

static void publish(unsigned worker, enum message_class class, const char *text)
{
    publish_message(worker, class, text, false);
}

static void on_queued(struct subscriber *subscriber)
{
    container_of(subscriber, struct viewer, subscriber)->told++;
}

static void join_as(struct viewer *viewer, unsigned worker, enum stream_join_mode mode)
{
    *viewer = (struct viewer){.worker = worker_of(worker), .subscriber.on_queued = on_queued};
    list_init(&viewer->subscriber.node);
    send_queue_init(&viewer->subscriber.queue);
    topic_subscribe(scene.topic, viewer->worker, &viewer->subscriber);
    stream_join_begin(viewer->worker, scene.topic, &viewer->subscriber, mode);
}

static void join(struct viewer *viewer, unsigned worker)
{
    join_as(viewer, worker, JOIN_LATEST_KEYFRAME);
}

static void leave(struct viewer *viewer)
{
    stream_join_end(&viewer->subscriber);
    topic_unsubscribe(scene.topic, viewer->worker, &viewer->subscriber);
    send_queue_clear(&viewer->subscriber.queue, viewer->worker);
}

/* Adds the payloads that wait to what the viewer got: without the frames' headers, a blank behind
 * each. */
static void receive(struct viewer *viewer)
{
    struct send_queue *queue = &viewer->subscriber.queue;

    cr_assert(send_queue_empty(queue) || viewer->told > 0, "it was not told");
    while (!send_queue_empty(queue)) {
        struct iovec slices[MESSAGE_PART_SLICES];
        unsigned count = send_queue_begin(queue, viewer->worker, slices, MESSAGE_PART_SLICES);
        size_t used = strlen(viewer->got);
        size_t sent = 0;

        for (unsigned i = 0; i < count; i++) {
            cr_assert_lt(used + sent + slices[i].iov_len, sizeof viewer->got - 2);
            memcpy(viewer->got + used + sent, slices[i].iov_base, slices[i].iov_len);
            sent += slices[i].iov_len;
        }
        send_queue_end(queue, viewer->worker, sent);
        viewer->got[used + sent] = '\0';
    }
    viewer->told = 0;
}

static void expect_got(struct viewer *viewer, const char *expected)
{
    char text[4096] = "";
    size_t used = 0;

    receive(viewer);
    for (const char *at = viewer->got; *at != '\0';) {
        size_t len = (uint8_t)at[1];

        cr_assert_eq((uint8_t)at[0], 0x81);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s", used > 0 ? " " : "",
                                 (int)len, at + 2);
        at += 2 + len;
    }
    cr_assert_str_eq(text, expected);
    viewer->got[0] = '\0';
}

/* A stream of two groups; the newest key picture is the second. */
static void publish_groups(unsigned worker)
{
    publish(worker, MESSAGE_KEY, "K1");
    publish(worker, MESSAGE_DEPENDENT, "a");
    publish(worker, MESSAGE_KEY, "K2");
    publish(worker, MESSAGE_STREAM, "b");
    publish(worker, MESSAGE_DISPOSABLE, "c");
}

Test(stream_join, starts_with_the_newest_key_picture_on_every_worker)
{
    struct viewer early, viewers[WORKERS];

    join(&early, 1);
    publish_groups(0);
    for (unsigned i = 0; i < WORKERS; i++) {
        join(&viewers[i], i);
    }
    expect_got(&viewers[0], ">K2 ..b ..c");
    cluster_settle(&scene.cluster);
    publish(0, MESSAGE_DEPENDENT, "d");
    publish(0, MESSAGE_KEY, "K3");
    cluster_settle(&scene.cluster);
    expect_got(&early, "..K1 ..a ..K2 ..b ..c ..d ..K3");
    expect_got(&viewers[0], "..d ..K3");
    expect_got(&viewers[1], ">K2 ..b ..c ..d ..K3");
    expect_got(&viewers[2], ">K2 ..b ..c ..d ..K3");
    for (unsigned i = 0; i < WORKERS; i++) {
        cr_assert_eq(viewers[i].subscriber.state, SUBSCRIBER_LIVE);
        cr_assert_eq(counted(worker_of(i), joins_from_cache), 1);
        leave(&viewers[i]);
    }
    leave(&early);
}

Test(stream_join, gets_nothing_twice_that_is_on_its_way)
{
    struct viewer early, viewer;

    join(&early, 1);
    publish_groups(0);
    join(&viewer, 1); /* five messages are on their way, for early; the answer overtakes them */
    publish(0, MESSAGE_DEPENDENT, "d");
    cluster_settle(&scene.cluster);
    expect_got(&viewer, ">K2 ..b ..c ..d");
    expect_got(&early, "..K1 ..a ..K2 ..b ..c ..d");
    leave(&viewer);
    leave(&early);
}

Test(stream_join, gets_what_comes_where_no_key_picture_was_seen)
{
    struct viewer viewer;

    publish(0, MESSAGE_STREAM, "a");
    publish(0, MESSAGE_DATA, "data");
    join(&viewer, 1);
    publish(0, MESSAGE_DEPENDENT, "b");
    publish(0, MESSAGE_DATA, "more");
    cluster_settle(&scene.cluster);
    expect_got(&viewer, "..b ..more");
    cluster_settle(&scene.cluster);
    cr_assert_eq(worker_of(0)->blocks.blocks_used, 0, "nothing is kept of data");
    leave(&viewer);
}

Test(stream_join, starts_as_it_asks_to)
{
    struct viewer next, latest;

    publish_groups(0);
    join_as(&next, 1, JOIN_NEXT_KEYFRAME);
    join_as(&latest, 2, JOIN_LATEST);
    publish(0, MESSAGE_DEPENDENT, "d");
    publish(0, MESSAGE_DATA, "data");
    publish(0, MESSAGE_KEY, "K3");
    publish(0, MESSAGE_DEPENDENT, "e");
    cluster_settle(&scene.cluster);
    expect_got(&next, "..data >K3 ..e");
    expect_got(&latest, "..d ..data ..K3 ..e");
    cr_assert_eq(counted(worker_of(1), joins_awaiting_key), 1);
    leave(&next);
    leave(&latest);
}

Test(stream_join, gets_the_last_picture_of_jpeg)
{
    struct viewer viewer;

    publish(2, MESSAGE_JPEG, "one");
    publish(2, MESSAGE_JPEG, "two");
    join(&viewer, 0);
    cluster_settle(&scene.cluster);
    publish(2, MESSAGE_JPEG, "three");
    cluster_settle(&scene.cluster);
    expect_got(&viewer, "..two ..three");
    leave(&viewer);
}

Test(stream_join, may_end_while_the_answer_is_on_its_way)
{
    struct viewer viewer;

    publish_groups(0);
    join(&viewer, 1);
    leave(&viewer);
    cluster_settle(&scene.cluster);
    cr_assert_eq(worker_of(1)->blocks.blocks_used, 0);
}

Test(stream_join, awaits_a_key_picture_where_the_cache_was_cut)
{
    struct viewer viewers[2];

    scene.registry.cache_bounds.time_ms_max = 5;
    publish(0, MESSAGE_KEY, "K1");
    publish(0, MESSAGE_DEPENDENT, "a");
    worker_of(0)->now_ms = 6;
    publish(0, MESSAGE_DEPENDENT, "late");
    cr_assert_eq(counted(worker_of(0), cache_cut), 1);
    for (unsigned i = 0; i < 2; i++) {
        join(&viewers[i], i);
    }
    cluster_settle(&scene.cluster);
    publish(0, MESSAGE_DEPENDENT, "b");
    publish(0, MESSAGE_KEY, "K2");
    publish(0, MESSAGE_DEPENDENT, "c");
    cluster_settle(&scene.cluster);
    for (unsigned i = 0; i < 2; i++) {
        expect_got(&viewers[i], ">K2 ..c");
        cr_assert_eq(counted(worker_of(i), joins_awaiting_key), 1);
        leave(&viewers[i]);
    }
}

Test(stream_join, does_not_wait_for_ever)
{
    static const uint64_t waits_ms[] = {[false] = KEY_WAIT_INSIDE_MS_MAX, [true] = KEY_WAIT_MS_MAX};

    for (int at_boundary = 0; at_boundary < 2; at_boundary++) {
        struct viewer viewer;

        publish_groups(0);
        join_as(&viewer, 0, JOIN_NEXT_KEYFRAME);
        worker_of(0)->now_ms += waits_ms[at_boundary];
        publish_message(0, MESSAGE_DEPENDENT, "d", at_boundary);
        worker_of(0)->now_ms++;
        publish_message(0, MESSAGE_DEPENDENT, "e", at_boundary);
        expect_got(&viewer, "..e");
        leave(&viewer);
    }
}

Test(stream_join, follows_the_publisher_of_the_newest_key_picture)
{
    struct viewer viewer;

    publish_groups(0);
    publish(2, MESSAGE_KEY, "N1");
    publish(0, MESSAGE_DEPENDENT, "d");
    join(&viewer, 1);
    cluster_settle(&scene.cluster);
    publish(2, MESSAGE_DEPENDENT, "e");
    cluster_settle(&scene.cluster);
    expect_got(&viewer, ">N1 ..e");
    leave(&viewer);
}

/* What is on its way from another publisher goes on in the middle of a picture. */
Test(stream_join, awaits_a_key_picture_when_another_publisher_takes_over_meanwhile)
{
    struct viewer viewer;

    publish_groups(0);
    join(&viewer, 1);
    publish(2, MESSAGE_KEY, "N1");
    publish(2, MESSAGE_DATA, "data");
    cluster_end_turn(worker_of(2)); /* these come before the answer */
    ring_submit_and_wait(&worker_of(2)->ring, 0);
    cluster_take_waiting(&scene.cluster, worker_of(1));
    cluster_settle(&scene.cluster);
    publish(2, MESSAGE_DEPENDENT, "x");
    publish(2, MESSAGE_KEY, "N2");
    cluster_settle(&scene.cluster);
    expect_got(&viewer, "..data >K2 ..b ..c >N2");
    leave(&viewer);
}

/* A viewer asks worker 0, and what worker 2 publishes meanwhile comes before the answer. */
static void join_while_another_publishes(struct viewer *viewer, enum message_class class,
                                         const char *text)
{
    join(viewer, 1);
    publish(2, class, text);
    cluster_end_turn(worker_of(2));
    ring_submit_and_wait(&worker_of(2)->ring, 0);
    cluster_take_waiting(&scene.cluster, worker_of(1));
    cluster_settle(&scene.cluster);
}

Test(stream_join, gets_no_older_picture_behind_one_of_a_publisher_that_took_over)
{
    struct viewer viewer;

    publish(0, MESSAGE_JPEG, "old");
    join_while_another_publishes(&viewer, MESSAGE_JPEG, "new");
    expect_got(&viewer, "..new");
    cr_assert_eq(counted(worker_of(1), joins_awaiting_key), 0);
    publish(2, MESSAGE_JPEG, "newer");
    cluster_settle(&scene.cluster);
    publish(0, MESSAGE_JPEG, "live");
    cluster_settle(&scene.cluster);
    expect_got(&viewer, "..newer ..live");
    leave(&viewer);
}

Test(stream_join, gets_no_stream_behind_a_picture_of_a_publisher_that_took_over)
{
    struct viewer viewer;

    publish_groups(0);
    join_while_another_publishes(&viewer, MESSAGE_JPEG, "new");
    expect_got(&viewer, "..new");
    publish(0, MESSAGE_DEPENDENT, "d");
    publish(2, MESSAGE_JPEG, "newer");
    cluster_settle(&scene.cluster);
    publish(0, MESSAGE_KEY, "K3");
    cluster_settle(&scene.cluster);
    expect_got(&viewer, "..newer >K3");
    leave(&viewer);
}

/* A publisher that comes back, on any worker, before what it left behind is released. */
Test(stream_join, begins_with_the_stream_of_a_publisher_that_came_back)
{
    struct viewer before, between, after[WORKERS];

    for (unsigned back = 0; back < WORKERS; back++) {
        publish_groups(0);
        join(&before, 1);
        cluster_settle(&scene.cluster);
        stream_cache_end(worker_of(0), scene.topic, &scene.publishers[0]);
        join(&between, 2);
        cluster_settle(&scene.cluster);
        publish(back, MESSAGE_DEPENDENT, "x");
        publish(back, MESSAGE_KEY, "N1");
        publish(back, MESSAGE_DEPENDENT, "y");
        for (unsigned i = 0; i < WORKERS; i++) {
            join(&after[i], i);
        }
        cluster_settle(&scene.cluster);
        expect_got(&before, ">K2 ..b ..c ..x ..N1 ..y");
        expect_got(&between, ">K2 ..b ..c >N1 ..y");
        for (unsigned i = 0; i < WORKERS; i++) {
            expect_got(&after[i], ">N1 ..y");
            leave(&after[i]);
        }
        leave(&before);
        leave(&between);
    }
}

Test(stream_join, awaits_a_key_picture_without_memory_for_the_answer)
{
    struct viewer viewer;
    struct block_pool *blocks = &worker_of(0)->blocks;
    size_t bytes_max = blocks->bytes_max;

    publish_groups(0);
    blocks->bytes_max = blocks->bytes_held - blocks->bytes_free;
    join(&viewer, 1);
    cluster_settle(&scene.cluster);
    blocks->bytes_max = bytes_max;
    publish(0, MESSAGE_DEPENDENT, "d");
    publish(0, MESSAGE_KEY, "K3");
    cluster_settle(&scene.cluster);
    expect_got(&viewer, ">K3");
    leave(&viewer);
}

Test(stream_join, is_of_an_age_that_counts_from_the_join)
{
    struct viewer viewers[2];

    publish_groups(0);
    worker_of(0)->now_ms = 7000;
    worker_of(1)->now_ms = 7001;
    for (unsigned i = 0; i < 2; i++) {
        join(&viewers[i], i);
        cluster_settle(&scene.cluster);
        cr_assert_eq(send_entry_since_ms(send_queue_entry(&viewers[i].subscriber.queue, 0)),
                     7000 + i);
        expect_got(&viewers[i], ">K2 ..b ..c");
        leave(&viewers[i]);
    }
}

/* Commands that a viewer has carried out must not come again when it reconnects. */
Test(stream_join, gets_no_data_from_before)
{
    struct viewer viewers[2];

    publish(0, MESSAGE_KEY, "K1");
    publish(0, MESSAGE_DATA, "old");
    publish(0, MESSAGE_DEPENDENT, "a");
    cluster_settle(&scene.cluster);
    for (unsigned i = 0; i < 2; i++) {
        join(&viewers[i], i);
        publish(0, MESSAGE_DATA, "new");
        cluster_settle(&scene.cluster);
    }
    expect_got(&viewers[0], ">K1 ..a ..new ..new");
    expect_got(&viewers[1], "..new >K1 ..a");
    leave(&viewers[0]);
    leave(&viewers[1]);
}

/* Another one may be in the middle of a picture. */
Test(stream_join, awaits_a_key_picture_behind_that_of_a_publisher_that_left)
{
    struct viewer viewers[2];

    publish_groups(0);
    stream_cache_end(worker_of(0), scene.topic, &scene.publishers[0]);
    for (unsigned i = 0; i < 2; i++) {
        join(&viewers[i], i);
    }
    cluster_settle(&scene.cluster);
    publish(2, MESSAGE_DEPENDENT, "x");
    publish(2, MESSAGE_KEY, "N1");
    cluster_settle(&scene.cluster);
    for (unsigned i = 0; i < 2; i++) {
        expect_got(&viewers[i], ">K2 ..b ..c >N1");
        leave(&viewers[i]);
    }
}

Test(stream_join, waits_for_nothing_behind_a_jpeg)
{
    struct viewer viewers[2];

    publish(0, MESSAGE_JPEG, "jpeg");
    stream_cache_end(worker_of(0), scene.topic, &scene.publishers[0]);
    for (unsigned i = 0; i < 2; i++) {
        join(&viewers[i], i);
    }
    cluster_settle(&scene.cluster);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(counted(worker_of(i), joins_awaiting_key), 0);
        expect_got(&viewers[i], "..jpeg");
        leave(&viewers[i]);
    }
}

/* A key picture and so many more messages, one of which is known to be behind it. */
static void publish_many(unsigned count)
{
    publish(0, MESSAGE_KEY, "K1");
    publish_message(0, MESSAGE_DEPENDENT, "a", true);
    for (unsigned i = 1; i < count; i++) {
        publish(0, MESSAGE_STREAM, "x");
    }
    cluster_settle(&scene.cluster);
}

static void expect_key_alone(struct viewer *viewers)
{
    for (unsigned i = 0; i < 2; i++) {
        join(&viewers[i], i);
    }
    cluster_settle(&scene.cluster);
    publish(0, MESSAGE_DEPENDENT, "y");
    publish(0, MESSAGE_KEY, "K2");
    cluster_settle(&scene.cluster);
    for (unsigned i = 0; i < 2; i++) {
        expect_got(&viewers[i], ">K1 >K2");
        cr_assert_eq(counted(worker_of(i), joins_awaiting_key), 1);
        leave(&viewers[i]);
    }
}

Test(stream_join, begins_with_the_key_picture_alone_where_too_many_messages_follow)
{
    struct viewer viewers[2];

    publish_many(STREAM_JOIN_MESSAGES_MAX - 1);
    join(&viewers[0], 1);
    cluster_settle(&scene.cluster);
    cr_assert_eq(viewers[0].subscriber.queue.count, STREAM_JOIN_MESSAGES_MAX);
    leave(&viewers[0]);
    publish_many(STREAM_JOIN_MESSAGES_MAX);
    expect_key_alone(viewers);
}

/* Many that join and read nothing leave the memory to live messages of all topics. */
Test(stream_join, begins_with_the_key_picture_alone_where_memory_is_short)
{
    struct viewer viewers[2];

    publish_many(10);
    for (unsigned i = 0; i < 2; i++) {
        struct block_pool *blocks = &worker_of(i)->blocks;

        blocks->bytes_max = 2 * (blocks->bytes_held - blocks->bytes_free) + 1000;
    }
    expect_key_alone(viewers);
}

/* The asking worker knows best what it has. */
Test(stream_join, takes_the_key_picture_of_an_answer_where_memory_is_short)
{
    struct viewer viewer;
    struct block_pool *blocks = &worker_of(1)->blocks;
    void *filler = block_pool_take(blocks, CLUSTER_MEMORY / 4);

    publish_many(10);
    cr_assert_not_null(filler);
    blocks->bytes_max = 2 * CLUSTER_MEMORY / 4;
    join(&viewer, 1);
    cluster_settle(&scene.cluster);
    block_pool_put(blocks, filler);
    publish(0, MESSAGE_DEPENDENT, "y");
    cluster_settle(&scene.cluster);
    expect_got(&viewer, ">K1");
    leave(&viewer);
}

static void take_letters(unsigned worker)
{
    ring_submit_and_wait(&worker_of(worker)->ring, 0);
    cluster_take_waiting(&scene.cluster, worker_of(worker));
}

Test(stream_join, gets_nothing_twice_that_comes_after_anothers_key_picture)
{
    struct viewer early, viewer;

    join(&early, 1);
    publish_groups(0); /* on its way, for early; the answer overtakes it */
    join(&viewer, 1);
    publish(2, MESSAGE_DEPENDENT, "missed");
    cluster_end_turn(worker_of(2));
    take_letters(2);
    take_letters(1);
    take_letters(0);
    take_letters(0); /* sends the answer */
    take_letters(1);
    publish(2, MESSAGE_KEY, "N1");
    cluster_end_turn(worker_of(2));
    take_letters(2);
    take_letters(1);
    cluster_settle(&scene.cluster);
    expect_got(&viewer, ">K2 ..b ..c >N1");
    leave(&viewer);
    leave(&early);
}

/* As after a letter that could not be delivered at once. */
static void take_calls_last(struct worker *worker)
{
    uint64_t calls[4];
    unsigned count = 0;
    struct io_uring_cqe *cqe;

    ring_submit_and_wait(&worker->ring, 0);
    while (io_uring_peek_cqe(&worker->ring.uring, &cqe) == 0) {
        uint64_t letter = io_uring_cqe_get_data64(cqe);

        io_uring_cqe_seen(&worker->ring.uring, cqe);
        if (letter_is(letter) && letter_kind(letter) == LETTER_CALL) {
            cr_assert_lt(count, 4);
            calls[count++] = letter;
        } else {
            cluster_take_letter(&scene.cluster, worker, letter);
        }
    }
    cr_assert_gt(count, 0, "nothing was late");
    for (unsigned i = 0; i < count; i++) {
        cluster_take_letter(&scene.cluster, worker, calls[i]);
    }
}

Test(stream_join, awaits_a_key_picture_when_the_answer_is_late)
{
    struct viewer viewer;

    publish_groups(0);
    join(&viewer, 1);
    take_letters(1);
    take_letters(0);
    publish(0, MESSAGE_DEPENDENT, "skipped");
    cluster_end_turn(worker_of(0));
    take_letters(0);
    take_calls_last(worker_of(1));
    publish(0, MESSAGE_DEPENDENT, "e");
    publish(0, MESSAGE_KEY, "K3");
    cluster_settle(&scene.cluster);
    expect_got(&viewer, ">K2 ..b ..c >K3");
    leave(&viewer);
}

/* Memory of a worker that is not on the topic's budget, but for the headers of blocks. */
static size_t uncharged(unsigned index)
{
    const struct block_pool *blocks = &worker_of(index)->blocks;
    size_t used = blocks->bytes_held - blocks->bytes_free - 16 * blocks->blocks_used;

    cr_assert_leq(scene.topic->parts[index].budget.bytes, used);
    return used - scene.topic->parts[index].budget.bytes;
}

/* The oldest message of a viewer's queue. */
static void take_one(struct viewer *viewer)
{
    struct send_queue *queue = &viewer->subscriber.queue;
    struct iovec slices[MESSAGE_PART_SLICES];

    if (!send_queue_empty(queue)) {
        size_t len = send_entry_len(send_queue_entry(queue, 0));

        (void)send_queue_begin(queue, viewer->worker, slices, MESSAGE_PART_SLICES);
        send_queue_end(queue, viewer->worker, len);
    }
}

enum { CROWD = 8 };

static void crowd_step(struct viewer *crowd, bool *here)
{
    unsigned index = (unsigned)rand() % CROWD;

    switch (rand() % 4) {
    case 0:
        if (!here[index]) {
            join(&crowd[index], (unsigned)rand() % WORKERS);
        } else {
            leave(&crowd[index]);
        }
        here[index] = !here[index];
        return;
    case 1:
        for (int i = 0; here[index] && i < 64; i++) {
            take_one(&crowd[index]);
        }
        return;
    default:
        cluster_turn(&scene.cluster, worker_of((unsigned)rand() % WORKERS));
    }
}

/* Property: viewers join, read and leave at any moment, and no byte that this takes on any worker
 * is missing from the topic's budget, and none is left on it. */
Test(stream_join, is_charged_to_the_topic_to_the_byte_under_random_use)
{
    static struct viewer crowd[CROWD];

    for (unsigned round = 0; round < 30; round++) {
        bool here[CROWD] = {false};

        srand(round);
        publish_many(1 + (unsigned)rand() % (STREAM_JOIN_MESSAGES_MAX + 100));
        for (unsigned i = 0; i < 400; i++) {
            crowd_step(crowd, here);
            for (unsigned worker = 0; worker < WORKERS; worker++) {
                cr_assert_eq(uncharged(worker), 0, "round %u, step %u, worker %u", round, i,
                             worker);
            }
        }
        for (unsigned i = 0; i < CROWD; i++) {
            if (here[i]) {
                leave(&crowd[i]);
            }
        }
        cluster_settle(&scene.cluster);
        cr_assert_eq(scene.topic->parts[1].budget.bytes, 0);
        cr_assert_eq(scene.topic->parts[2].budget.bytes, 0);
    }
}

/* Random use: numbered pictures by one publisher on worker 0, which may be replaced by another on
 * worker 2. */
enum { VIEWERS = 12, PICTURES_MAX = 4000 };

struct history {
    bool is_key[PICTURES_MAX];
    unsigned count;
    unsigned newest_key; /* index + 1; 0: none */
};

struct guest {
    struct viewer viewer;
    bool is_here;
    unsigned key_at_join; /* newest then; 0: none */
    unsigned count_at_join;
    unsigned next; /* that it must get; 0: nothing came yet */
};

static struct history history;
static struct guest guests[VIEWERS];

static void publish_picture(unsigned worker, bool is_key)
{
    char text[16];

    history.is_key[history.count] = is_key;
    history.count++;
    history.newest_key = is_key ? history.count : history.newest_key;
    snprintf(text, sizeof text, "%05u", history.count);
    publish(worker, is_key ? MESSAGE_KEY : MESSAGE_DEPENDENT, text);
}

static void check_first(struct guest *guest, unsigned number, bool is_start)
{
    if (guest->key_at_join > 0) {
        cr_assert(is_start, "it starts in the middle with %u", number);
        cr_assert_geq(number, guest->key_at_join);
        cr_assert(history.is_key[number - 1]);
    }
}

/* Without a key picture a viewer gets what comes, as well what was on its way for one that has left
 * before it joined. */
static bool follows(const struct guest *guest, unsigned number)
{
    bool is_older = guest->key_at_join == 0 && guest->next <= guest->count_at_join;

    return number == guest->next ||
           (is_older && number > guest->next && number <= guest->count_at_join + 1);
}

static void check_got(struct guest *guest)
{
    receive(&guest->viewer);
    for (const char *at = guest->viewer.got; *at != '\0'; at += 2 + at[1]) {
        bool is_start = at[2] == '>';
        unsigned number = (unsigned)strtoul(at + (is_start ? 3 : 4), NULL, 10);

        if (guest->next == 0) {
            check_first(guest, number, is_start);
        } else {
            cr_assert(follows(guest, number), "after %u came %u", guest->next - 1, number);
            cr_assert_not(is_start);
        }
        guest->next = number + 1;
    }
    guest->viewer.got[0] = '\0';
}

static void come_or_go(struct guest *guest)
{
    if (guest->is_here) {
        check_got(guest);
        leave(&guest->viewer);
        guest->is_here = false;
        return;
    }
    guest->is_here = true;
    guest->key_at_join = history.newest_key;
    guest->count_at_join = history.count;
    guest->next = 0;
    join(&guest->viewer, (unsigned)rand() % WORKERS);
}

/* Messages leave at the end of a turn: an answer may overtake older ones. */
static void turn(struct worker *worker)
{
    if (rand() % 2 == 0) {
        cluster_end_turn(worker);
    }
    ring_submit_and_wait(&worker->ring, 0);
    cluster_take_waiting(&scene.cluster, worker);
    if (rand() % 2 == 0) {
        cluster_end_turn(worker);
    }
}

static void step(void)
{
    unsigned action = (unsigned)rand() % 10;
    struct worker *worker = worker_of((unsigned)rand() % WORKERS);

    if (action < 3) {
        publish_picture(0, rand() % 8 == 0);
    } else if (action < 5) {
        come_or_go(&guests[rand() % VIEWERS]);
    } else if (action < 6) {
        struct guest *guest = &guests[rand() % VIEWERS];

        if (guest->is_here) {
            check_got(guest);
        }
    } else {
        turn(worker);
    }
}

Test(stream_join, has_no_gap_and_no_repeat_under_random_use)
{
    scene.cluster.bounds.messages_max = PICTURES_MAX;
    for (unsigned round = 0; round < 20; round++) {
        srand(round);
        history = (struct history){.count = 0};
        for (unsigned i = 0; i < 4000; i++) {
            step();
        }
        cluster_settle(&scene.cluster);
        for (unsigned i = 0; i < VIEWERS; i++) {
            if (guests[i].is_here) {
                check_got(&guests[i]);
                cr_assert(guests[i].next == history.count + 1 || guests[i].key_at_join == 0,
                          "guest %u misses the end", i);
                leave(&guests[i].viewer);
                guests[i].is_here = false;
            }
        }
        stream_cache_drop_all(worker_of(0), &scene.registry);
        cluster_settle(&scene.cluster);
        for (unsigned i = 0; i < WORKERS; i++) {
            cr_assert_eq(worker_of(i)->blocks.blocks_used, 0);
        }
    }
}
