/* Goal: a topic keeps what a viewer needs to begin, and no more: from the newest key picture on,
 * within its bounds, past them that picture alone; of one publisher; until it has been gone for a
 * while, or others need the memory. Method: a worker without threads, whose clock the test sets;
 * the entries are read as text. */
#include <stdio.h>
#include <stdlib.h>

#include "server/hub/stream_cache.h"
#include "tests/unit/server/hub/hub_fixture.h"

enum { MEMORY = 16 * 1024 * 1024 };

static struct {
    struct worker worker;
    struct topic_registry registry;
    struct topic *topic;
    struct subscriber publisher, other;
    bool starts_at_boundary; /* the next message does */
    uint32_t stop;           /* and it may be left there */
} scene;

static void open_scene(void)
{
    lone_worker_init(&scene.worker, MEMORY);
    timer_wheel_init(&scene.worker.timers, 0);
    topic_registry_init(&scene.registry, 1);
    scene.registry.cache_bounds =
        (struct stream_cache_bounds){.bytes_max = 1 << 20, .time_ms_max = 10000};
    scene.topic = topic_find_or_create(&scene.registry, "camera");
}

static void close_scene(void)
{
    stream_cache_drop_all(&scene.worker, &scene.registry);
    CHECK(scene.topic->cache_home == 0);
    CHECK(scene.topic->parts[0].budget.bytes == 0);
    topic_unref(scene.topic);
    topic_registry_deinit(&scene.registry);
    lone_worker_deinit(&scene.worker);
}

TestSuite(stream_cache, .init = open_scene, .fini = close_scene);

static void publish_by(const struct subscriber *publisher, enum message_class class,
                       const char *text)
{
    struct message *message = message_of_text(&scene.worker, WS_OPCODE_BINARY, text);

    message->class = class;
    message->received_ms = scene.worker.now_ms;
    message->starts_at_boundary = scene.starts_at_boundary;
    message_charge(&scene.worker, message, scene.topic);
    if (class == MESSAGE_KEY) {
        cr_assert(message_part_start_at(&scene.worker, message, 0, bytes_of_text("!"), scene.stop));
    } else {
        cr_assert(message_part_stop_at(&scene.worker, message, scene.stop));
    }
    scene.starts_at_boundary = false;
    scene.stop = 0;
    stream_cache_follow(&scene.worker, scene.topic, message, publisher);
    message_release(&scene.worker, message);
}

static void publish(enum message_class class, const char *text)
{
    publish_by(&scene.publisher, class, text);
}

static void publish_at_boundary(enum message_class class, const char *text)
{
    scene.starts_at_boundary = true;
    publish(class, text);
}

/* One that may be left after its first bytes. */
static void publish_with_stop(enum message_class class, const char *text, uint32_t stop)
{
    scene.stop = stop;
    publish(class, text);
}

static const struct stream_cache *cache(void)
{
    return scene.topic->parts[0].cache;
}

/* The payloads that are kept, with a blank between them; "-" without a cache. */
static void expect_kept(const char *expected)
{
    char text[512] = "";
    size_t used = 0;

    for (unsigned i = 0; cache() != NULL && i < cache()->messages.count; i++) {
        const struct send_entry *entry = send_queue_entry(&cache()->messages, i);
        struct iovec slices[MESSAGE_PART_SLICES];
        unsigned count =
            message_part_slices(entry->share->message, (enum message_part)entry->part, 0, slices);

        used += (size_t)snprintf(text + used, sizeof text - used, i > 0 ? " " : "");
        for (unsigned j = 0; j < count; j++) {
            const char *data = slices[j].iov_base;
            size_t skip = j == 0 ? 2 : 0;

            used += (size_t)snprintf(text + used, sizeof text - used, "%.*s",
                                     (int)(slices[j].iov_len - skip), data + skip);
        }
    }
    cr_assert_str_eq(cache() == NULL ? "-" : text, expected);
}

Test(stream_cache, keeps_from_the_newest_key_picture_on)
{
    publish(MESSAGE_DEPENDENT, "lost");
    expect_kept("-");
    cr_assert_eq(scene.topic->cache_home, 0);
    publish(MESSAGE_KEY, "K1");
    publish(MESSAGE_STREAM, "a");
    publish(MESSAGE_DATA, "text");
    expect_kept("!K1 a");
    cr_assert_eq(scene.topic->cache_home, 1);
    publish(MESSAGE_KEY, "K2");
    publish(MESSAGE_DISPOSABLE, "b");
    expect_kept("!K2 b");
}

Test(stream_cache, keeps_the_newest_jpeg_alone)
{
    publish(MESSAGE_JPEG, "one");
    publish(MESSAGE_DATA, "data");
    expect_kept("one");
    publish(MESSAGE_JPEG, "two");
    expect_kept("two");
}

Test(stream_cache, keeps_the_last_message_of_a_topic_of_which_only_that_is_of_use)
{
    publish(MESSAGE_LATEST, "state 1");
    publish(MESSAGE_LATEST, "state 2");
    expect_kept("state 2");
}

Test(stream_cache, keeps_nothing_of_data)
{
    publish(MESSAGE_DATA, "x");
    expect_kept("-");
    cr_assert_eq(scene.worker.blocks.blocks_used, 0);
}

Test(stream_cache, keeps_nothing_where_it_is_switched_off_or_the_worker_stops)
{
    scene.registry.cache_bounds.bytes_max = 0;
    publish(MESSAGE_KEY, "K1");
    expect_kept("-");
    scene.registry.cache_bounds.bytes_max = 100;
    scene.worker.stopping = true;
    publish(MESSAGE_KEY, "K1");
    expect_kept("-");
}

Test(stream_cache, does_not_begin_with_a_key_picture_that_had_no_memory_for_its_parts)
{
    struct message *message = message_of_text(&scene.worker, WS_OPCODE_BINARY, "K");

    message->class = MESSAGE_KEY;
    message_charge(&scene.worker, message, scene.topic);
    stream_cache_follow(&scene.worker, scene.topic, message, &scene.publisher);
    message_release(&scene.worker, message);
    expect_kept("-");
}

/* The message that does not fit, for each bound. */
static void fill(unsigned bound)
{
    switch (bound) {
    case 0:
        scene.registry.cache_bounds.bytes_max = 17;
        break;
    case 1:
        scene.registry.cache_bounds.time_ms_max = 99;
        scene.worker.now_ms += 100;
        break;
    case 2:
        while (cache()->messages.count < STREAM_CACHE_MESSAGES_MAX) {
            publish(MESSAGE_DEPENDENT, "x");
        }
        break;
    case 3: {
        char text[501] = "";

        memset(text, 'x', sizeof text - 1);
        scene.worker.blocks.bytes_max =
            scene.worker.blocks.bytes_held - scene.worker.blocks.bytes_free + 3000;
        for (unsigned i = 0; i < 4 && !cache()->is_cut; i++) {
            publish(MESSAGE_DEPENDENT, text);
        }
        return;
    }
    }
    publish(MESSAGE_DEPENDENT, "too much");
}

Test(stream_cache, keeps_the_key_picture_alone_past_each_bound)
{
    for (unsigned bound = 0; bound < 4; bound++) {
        size_t bytes_max = scene.worker.blocks.bytes_max;

        publish_with_stop(MESSAGE_KEY, "Key", 3);
        publish(MESSAGE_DEPENDENT, "b");
        fill(bound);
        expect_kept("!Key");
        cr_assert(cache()->is_cut);
        cr_assert_eq(counted(&scene.worker, cache_cut), bound + 1);
        publish(MESSAGE_DEPENDENT, "d");
        expect_kept("!Key");
        scene.registry.cache_bounds =
            (struct stream_cache_bounds){.bytes_max = 1 << 20, .time_ms_max = 10000};
        scene.worker.blocks.bytes_max = bytes_max;
        publish(MESSAGE_KEY, "Next");
        publish(MESSAGE_DEPENDENT, "e");
        expect_kept("!Next e");
        cr_assert_not(cache()->is_cut);
    }
}

Test(stream_cache, knows_where_a_key_picture_in_several_messages_ends)
{
    scene.registry.cache_bounds.time_ms_max = 99;
    publish(MESSAGE_KEY, "K");
    publish(MESSAGE_STREAM, "ey");
    publish_at_boundary(MESSAGE_DEPENDENT, "next");
    scene.worker.now_ms = 100;
    publish(MESSAGE_DEPENDENT, "late");
    expect_kept("!K ey");
    publish(MESSAGE_KEY, "K");
    publish_with_stop(MESSAGE_DEPENDENT, "ey+", 2);
    publish_with_stop(MESSAGE_DEPENDENT, "next", 3);
    scene.worker.now_ms = 200;
    publish(MESSAGE_DEPENDENT, "late");
    expect_kept("!K ey");
}

Test(stream_cache, finds_the_end_before_the_message_that_is_too_much)
{
    scene.registry.cache_bounds.time_ms_max = 99;
    publish(MESSAGE_KEY, "Key");
    scene.worker.now_ms = 100;
    publish_at_boundary(MESSAGE_DEPENDENT, "late");
    expect_kept("!Key");
}

Test(stream_cache, keeps_no_half_picture)
{
    scene.registry.cache_bounds.time_ms_max = 99;
    publish(MESSAGE_KEY, "K");
    publish(MESSAGE_STREAM, "e");
    scene.worker.now_ms = 100;
    publish_with_stop(MESSAGE_STREAM, "y+", 1);
    expect_kept("");
    cr_assert(cache()->is_cut);
}

Test(stream_cache, keeps_no_key_picture_beyond_its_bounds)
{
    scene.registry.cache_bounds.bytes_max = 6;
    publish_with_stop(MESSAGE_KEY, "too large", 9);
    expect_kept("");
    cr_assert_eq(counted(&scene.worker, cache_cut), 1);
}

Test(stream_cache, is_of_the_publisher_of_the_newest_key_picture)
{
    publish(MESSAGE_KEY, "K1");
    publish_by(&scene.other, MESSAGE_DEPENDENT, "x");
    expect_kept("!K1");
    publish_by(&scene.other, MESSAGE_KEY, "N1");
    publish(MESSAGE_DEPENDENT, "a");
    expect_kept("!N1");
    stream_cache_end(&scene.worker, scene.topic, &scene.publisher);
    cr_assert_eq(cache()->publisher, &scene.other, "it was another's");
}

static void advance(uint64_t ms)
{
    scene.worker.now_ms += ms;
    timer_wheel_advance(&scene.worker.timers, scene.worker.now_ms);
}

Test(stream_cache, is_released_a_while_after_its_publisher_left)
{
    publish(MESSAGE_KEY, "K1");
    stream_cache_end(&scene.worker, scene.topic, &scene.publisher);
    publish(MESSAGE_DEPENDENT, "of another at the same address");
    advance(STREAM_CACHE_LINGER_MS - TIMER_TICK_MS);
    expect_kept("!K1");
    advance(2 * TIMER_TICK_MS);
    expect_kept("-");
    cr_assert_eq(scene.topic->cache_home, 0);
    cr_assert_eq(scene.worker.blocks.blocks_used, 0);
}

Test(stream_cache, stays_when_a_publisher_comes_back_in_time)
{
    publish(MESSAGE_KEY, "K1");
    stream_cache_end(&scene.worker, scene.topic, &scene.publisher);
    advance(STREAM_CACHE_LINGER_MS / 2);
    publish_by(&scene.other, MESSAGE_KEY, "K2");
    advance(STREAM_CACHE_LINGER_MS - TIMER_TICK_MS);
    expect_kept("!K2");
}

Test(stream_cache, drops_a_stream_that_came_to_a_halt)
{
    publish(MESSAGE_KEY, "K1");
    advance(STREAM_CACHE_LINGER_MS / 2);
    publish(MESSAGE_DEPENDENT, "a");
    publish(MESSAGE_DATA, "data");
    advance(STREAM_CACHE_LINGER_MS - TIMER_TICK_MS);
    publish(MESSAGE_DATA, "data is no sign of life");
    expect_kept("!K1 a");
    advance(2 * TIMER_TICK_MS);
    expect_kept("");
    cr_assert(cache()->is_cut, "what comes next begins within a group of pictures");
    cr_assert_eq(counted(&scene.worker, cache_cut), 0);
    publish(MESSAGE_DEPENDENT, "b");
    expect_kept("");
    publish(MESSAGE_KEY, "K2");
    expect_kept("!K2");
}

Test(stream_cache, keeps_a_stream_for_as_long_as_the_operator_says)
{
    scene.registry.cache_bounds.time_ms_max = 3 * STREAM_CACHE_LINGER_MS;
    publish(MESSAGE_KEY, "K1");
    advance(3 * STREAM_CACHE_LINGER_MS - TIMER_TICK_MS);
    expect_kept("!K1");
    advance(2 * TIMER_TICK_MS);
    expect_kept("");
}

Test(stream_cache, keeps_a_jpeg_of_a_silent_publisher)
{
    publish(MESSAGE_KEY, "K1");
    publish(MESSAGE_JPEG, "jpeg");
    advance(100 * STREAM_CACHE_LINGER_MS);
    expect_kept("jpeg");
}

Test(stream_cache, leaves_half_of_the_memory_to_live_messages)
{
    struct block_pool *blocks = &scene.worker.blocks;

    publish_with_stop(MESSAGE_KEY, "K1", 2);
    publish(MESSAGE_DEPENDENT, "a");
    blocks->bytes_max = 2 * (blocks->bytes_held - blocks->bytes_free);
    publish(MESSAGE_DEPENDENT, "b");
    expect_kept("!K1");
    blocks->bytes_max = MEMORY;
}

static void expect_picture(enum message_class class, const char *text)
{
    struct stream_picture picture = stream_cache_copy_picture(&scene.worker, scene.topic);

    cr_assert_not_null(picture.bytes);
    cr_assert_eq(picture.class, class);
    cr_assert_eq(picture.len, strlen(text), "%.*s", (int)picture.len, picture.bytes);
    cr_assert_arr_eq(picture.bytes, text, picture.len);
    free(picture.bytes);
}

Test(stream_cache, gives_a_copy_of_its_picture)
{
    cr_assert_null(stream_cache_copy_picture(&scene.worker, scene.topic).bytes);
    publish(MESSAGE_KEY, "K");
    expect_picture(MESSAGE_KEY, "!K");
    publish_with_stop(MESSAGE_STREAM, "ey+", 2);
    publish(MESSAGE_DEPENDENT, "b");
    expect_picture(MESSAGE_KEY, "!Key");
    publish_with_stop(MESSAGE_KEY, "Key", 3);
    publish(MESSAGE_DEPENDENT, "c");
    expect_picture(MESSAGE_KEY, "!Key");
    publish(MESSAGE_JPEG, "jpeg");
    expect_picture(MESSAGE_JPEG, "jpeg");
}

Test(stream_cache, copies_no_picture_that_takes_too_long)
{
    struct block_pool *blocks = &scene.worker.blocks;
    struct message *message;

    blocks->bytes_max = 64 * 1024 * 1024;
    scene.registry.cache_bounds.bytes_max = 32 << 20;
    publish(MESSAGE_KEY, "K");
    message = message_create(&scene.worker, MESSAGE_BYTES_MAX);
    message->class = MESSAGE_STREAM;
    message->payload_len = MESSAGE_BYTES_MAX;
    message_frame(message, WS_OPCODE_BINARY);
    message_charge(&scene.worker, message, scene.topic);
    stream_cache_follow(&scene.worker, scene.topic, message, &scene.publisher);
    message_release(&scene.worker, message);
    cr_assert_eq(cache()->messages.count, 2);
    cr_assert_null(stream_cache_copy_picture(&scene.worker, scene.topic).bytes);
    stream_cache_drop_all(&scene.worker, &scene.registry);
}

Test(stream_cache, gives_way_to_live_messages)
{
    cr_assert_not(stream_cache_give_way(&scene.worker, scene.topic));
    publish_with_stop(MESSAGE_KEY, "K1", 2);
    publish(MESSAGE_DEPENDENT, "a");
    cr_assert(stream_cache_give_way(&scene.worker, scene.topic));
    expect_kept("");
    cr_assert_eq(scene.topic->parts[0].budget.bytes, block_pool_capacity(cache()));
    cr_assert_not(stream_cache_give_way(&scene.worker, scene.topic), "nothing is left");
    publish(MESSAGE_DEPENDENT, "b");
    expect_kept("");
    publish(MESSAGE_KEY, "K2");
    expect_kept("!K2");
}

Test(stream_cache, gives_way_to_live_messages_of_any_topic)
{
    struct topic *others[2];

    for (unsigned i = 0; i < 2; i++) {
        struct topic *camera = scene.topic;

        others[i] = topic_find_or_create(&scene.registry, i == 0 ? "one" : "two");
        scene.topic = others[i];
        publish(MESSAGE_KEY, "K");
        scene.topic = camera;
    }
    publish(MESSAGE_KEY, "K1");
    for (unsigned i = 0; i < 3; i++) {
        cr_assert(stream_cache_give_way_any(&scene.worker, &scene.registry));
    }
    expect_kept("");
    cr_assert_not(stream_cache_give_way_any(&scene.worker, &scene.registry), "nothing is left");
    publish(MESSAGE_KEY, "K2");
    cr_assert(stream_cache_give_way_any(&scene.worker, &scene.registry));
    stream_cache_drop_all(&scene.worker, &scene.registry);
    for (unsigned i = 0; i < 2; i++) {
        topic_unref(others[i]);
    }
}

Test(stream_cache, lets_a_topic_live_while_it_is_kept)
{
    publish(MESSAGE_KEY, "K1");
    topic_unref(scene.topic);
    cr_assert_eq(topic_registry_count(&scene.registry), 1);
    stream_cache_drop_all(&scene.worker, &scene.registry);
    cr_assert_eq(topic_registry_count(&scene.registry), 0);
    scene.topic = topic_find_or_create(&scene.registry, "camera");
}
