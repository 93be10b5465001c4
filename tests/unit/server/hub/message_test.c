/* Goal: a message is laid out as one frame, lives while anybody holds it, and its memory always
 * comes home to the worker that made it.
 * Method: one worker alone, then several that are turned by hand with real letters between them. */
#include <signal.h>

#include "tests/unit/server/hub/hub_fixture.h"

enum { MEMORY = 64 * 1024 * 1024 };

Test(message, has_header_and_payload_in_one_piece)
{
    static const struct {
        size_t payload_len;
        size_t header_len;
    } cases[] = {
        {0, 2}, {1, 2}, {125, 2}, {126, 4}, {65535, 4}, {65536, 10}, {MESSAGE_BYTES_MAX, 10}};
    struct worker worker;

    lone_worker_init(&worker, MEMORY);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        size_t len = cases[i].payload_len;
        struct message *message = message_create(&worker, len);

        cr_assert_not_null(message);
        cr_assert_geq(message->payload_capacity, len);
        memset(message->payload, 0x5a, len);
        message->payload_len = (uint32_t)len;
        message_frame(message, WS_OPCODE_BINARY);
        struct bytes bytes = message_bytes(message);

        cr_assert_eq(bytes.len, cases[i].header_len + len, "%zu bytes", len);
        cr_assert_eq(bytes.data[0], 0x82, "final, binary");
        cr_assert_lt(bytes.data[1], 0x80, "servers do not mask");
        cr_assert_eq(bytes.data + cases[i].header_len, message->payload);
        cr_assert(len == 0 || bytes.data[bytes.len - 1] == 0x5a);
        message_release(&worker, message);
    }
    lone_worker_deinit(&worker);
}

Test(message, can_be_framed_again_with_another_header)
{
    struct worker worker;

    lone_worker_init(&worker, MEMORY);
    struct message *message = message_create(&worker, 70000);

    message->payload_len = 70000;
    message_frame(message, WS_OPCODE_BINARY);
    cr_assert_eq(message_bytes(message).len, 70010);
    message->payload_len = 5;
    message_frame(message, WS_OPCODE_TEXT);
    cr_assert_eq(message_bytes(message).len, 7);
    cr_assert_eq(message_bytes(message).data[0], 0x81);
    message_release(&worker, message);
    lone_worker_deinit(&worker);
}

Test(message, starts_with_one_reference_of_its_maker)
{
    struct worker worker;

    lone_worker_init(&worker, MEMORY);
    struct message *message = message_create(&worker, 10);

    cr_assert_eq(message->home_share.count, 1);
    cr_assert_eq(message->home_share.message, message);
    cr_assert_eq(message->workers, 1);
    cr_assert_eq(message->class, MESSAGE_DATA);
    cr_assert(message_is_published(message));
    cr_assert_null(message->topic);
    for (unsigned i = 0; i < 5; i++) {
        share_ref(&message->home_share);
    }
    for (unsigned i = 0; i < 5; i++) {
        share_unref(&worker, &message->home_share);
        cr_assert_eq(worker.blocks.blocks_used, 1);
    }
    share_unref(&worker, &message->home_share);
    cr_assert_eq(worker.blocks.blocks_used, 0);
    lone_worker_deinit(&worker);
}

Test(message, is_refused_when_memory_is_used_up)
{
    struct worker worker;
    struct message *messages[100];
    unsigned count = 0;

    lone_worker_init(&worker, 100 * 1024);
    while ((messages[count] = message_create(&worker, 10000)) != NULL) {
        count++;
        cr_assert_lt(count, 11);
    }
    cr_assert_gt(count, 5);
    while (count > 0) {
        message_release(&worker, messages[--count]);
    }
    lone_worker_deinit(&worker);
}

Test(message, grows_with_what_it_holds)
{
    struct worker worker;

    lone_worker_init(&worker, MEMORY);
    struct message *message = message_create(&worker, 4);
    struct message *small = message;

    memcpy(message->payload, "abcd", 4);
    message->payload_len = 4;
    cr_assert(message_grow(&worker, &message, 4));
    cr_assert_eq(message, small, "there was room already");
    cr_assert(message_grow(&worker, &message, 100000));
    cr_assert_geq(message->payload_capacity, 100000);
    cr_assert_eq(message->payload_len, 4);
    cr_assert_eq(memcmp(message->payload, "abcd", 4), 0);
    cr_assert_eq(worker.blocks.blocks_used, 1, "the small one went back");
    message_release(&worker, message);
    lone_worker_deinit(&worker);
}

Test(message, is_charged_to_its_topic_until_it_comes_home)
{
    struct topic_registry registry;
    struct worker worker;

    topic_registry_init(&registry, 1);
    lone_worker_init(&worker, MEMORY);
    struct topic *topic = topic_find_or_create(&registry, "t");
    const struct budget *budget = &topic->parts[0].budget;
    struct message *message = message_create(&worker, 4);

    message_charge(&worker, message, topic);
    cr_assert_eq(message->topic, topic);
    cr_assert_eq(budget->bytes, sizeof *message + message->payload_capacity);
    topic_unref(topic);
    cr_assert(message_grow(&worker, &message, 100000));
    cr_assert_eq(message->topic, topic);
    cr_assert_eq(budget->bytes, sizeof *message + message->payload_capacity, "the larger one");
    cr_assert_eq(registry.topics_count, 1);
    message_release(&worker, message);
    cr_assert_eq(registry.topics_count, 0);
    lone_worker_deinit(&worker);
    topic_registry_deinit(&registry);
}

Test(message, grows_to_the_largest_size)
{
    struct topic_registry registry;
    struct worker worker;

    topic_registry_init(&registry, 1);
    lone_worker_init(&worker, (size_t)12 * 1024 * 1024);
    struct topic *topic = topic_find_or_create(&registry, "t");
    const struct budget *budget = &topic->parts[0].budget;
    struct message *message = message_create(&worker, 4);

    message_charge(&worker, message, topic);
    memcpy(message->payload, "abcd", 4);
    message->payload_len = 4;
    for (size_t room = 4096; room < MESSAGE_BYTES_MAX; room *= 2) {
        cr_assert(message_grow(&worker, &message, room));
        cr_assert_geq(message->payload_capacity, room);
        cr_assert_eq(message->home_share.message, message);
        cr_assert_eq(budget->bytes, sizeof *message + message->payload_capacity);
        memset(message->payload + 4, 1, message->payload_capacity - 4);
    }
    cr_assert_not(message_grow(&worker, &message, MESSAGE_BYTES_MAX), "above the memory");
    cr_assert_eq(memcmp(message->payload, "abcd", 4), 0);
    message_release(&worker, message);
    cr_assert_eq(budget->bytes, 0);
    topic_unref(topic);
    lone_worker_deinit(&worker);
    topic_registry_deinit(&registry);
}

Test(message, stays_as_it_was_when_it_cannot_grow)
{
    struct worker worker;

    lone_worker_init(&worker, 10000);
    struct message *message = message_of_text(&worker, WS_OPCODE_TEXT, "abcd");
    struct message *before = message;

    cr_assert(!message_grow(&worker, &message, 100000));
    cr_assert_eq(message, before);
    cr_assert_eq(message->payload_len, 4);
    cr_assert_eq(memcmp(message->payload, "abcd", 4), 0);
    message_release(&worker, message);
    lone_worker_deinit(&worker);
}

Test(message, of_a_control_frame_is_marked_as_such)
{
    struct worker worker;
    uint8_t longest[WS_CONTROL_PAYLOAD_MAX];

    memset(longest, 'x', sizeof longest);
    lone_worker_init(&worker, MEMORY);
    struct message *empty = message_create_control(&worker, WS_OPCODE_PING, bytes_of(NULL, 0));
    struct message *full =
        message_create_control(&worker, WS_OPCODE_CLOSE, bytes_of(longest, sizeof longest));

    cr_assert_eq(empty->class, MESSAGE_PING);
    cr_assert_eq(full->class, MESSAGE_CLOSE);
    cr_assert_eq(message_bytes(empty).len, 2);
    cr_assert_eq(memcmp(message_bytes(empty).data, "\x89\x00", 2), 0);
    cr_assert_eq(message_bytes(full).len, 127);
    cr_assert_eq(memcmp(message_bytes(full).data, "\x88\x7dx", 3), 0);
    message_release(&worker, empty);
    message_release(&worker, full);
    struct message *pong = message_create_control(&worker, WS_OPCODE_PONG, bytes_of(NULL, 0));
    struct message *raw = message_create_unframed(&worker, 4);

    cr_assert_eq(pong->class, MESSAGE_PONG);
    cr_assert_eq(raw->class, MESSAGE_UNFRAMED);
    cr_assert(!message_is_published(pong) && !message_is_published(raw));
    message_release(&worker, pong);
    message_release(&worker, raw);
    worker.blocks.bytes_max = 0;
    block_pool_trim(&worker.blocks, 0);
    cr_assert_null(message_create_control(&worker, WS_OPCODE_PING, bytes_of(NULL, 0)));
    lone_worker_deinit(&worker);
}

/* A message of worker 0 with a hold for another worker, as if its letter had just arrived. */
static struct share *share_with(struct cluster *cluster, struct message *message, unsigned worker)
{
    message_hold(message, 1);
    return message_take_share(&cluster->workers[worker], message);
}

Test(message, goes_home_by_letter_after_the_last_worker_gave_it_up)
{
    struct cluster cluster;

    cluster_init(&cluster, 3);
    struct worker *home = &cluster.workers[0];
    struct message *message = message_of_text(home, WS_OPCODE_TEXT, "to all");
    struct share *one = share_with(&cluster, message, 1);
    struct share *two = share_with(&cluster, message, 2);

    cr_assert_eq(message->workers, 3);
    cr_assert_eq(one->count, 1);
    cr_assert_neq(one, two);
    share_ref(one);
    message_release(home, message);
    cr_assert_eq(home->blocks.blocks_used, 1, "others still send it");
    share_unref(&cluster.workers[1], one);
    share_unref(&cluster.workers[1], one);
    cr_assert_eq(cluster.workers[1].blocks.blocks_used, 0,
                 "the share went back where it came from");
    cluster_settle(&cluster);
    cr_assert_eq(cluster.homecomings, 0);
    share_unref(&cluster.workers[2], two);
    cr_assert_eq(home->blocks.blocks_used, 1, "home takes it, nobody else");
    cluster_settle(&cluster);
    cr_assert_eq(cluster.homecomings, 1);
    cr_assert_eq(home->blocks.blocks_used, 0);
    cluster_deinit(&cluster);
}

Test(message, needs_no_letter_when_home_gives_it_up_last)
{
    struct cluster cluster;

    cluster_init(&cluster, 2);
    struct message *message = message_of_text(&cluster.workers[0], WS_OPCODE_TEXT, "x");
    struct share *share = share_with(&cluster, message, 1);

    share_unref(&cluster.workers[1], share);
    message_release(&cluster.workers[0], message);
    cr_assert_eq(cluster_letters_sent(&cluster), 0);
    cr_assert_eq(cluster.workers[0].blocks.blocks_used, 0);
    cluster_deinit(&cluster);
}

Test(message, hold_can_be_given_up_without_a_share)
{
    struct cluster cluster;

    cluster_init(&cluster, 2);
    struct message *message = message_of_text(&cluster.workers[0], WS_OPCODE_TEXT, "x");

    message_hold(message, 1);
    message_drop_hold(&cluster.workers[0], message);
    message_hold(message, 1);
    message_release(&cluster.workers[0], message);
    message_drop_hold(&cluster.workers[1], message);
    cluster_settle(&cluster);
    cr_assert_eq(cluster.homecomings, 1);
    cluster_deinit(&cluster);
}

Test(message, goes_home_when_its_receiver_has_no_memory_for_a_share)
{
    struct cluster cluster;

    cluster_init(&cluster, 2);
    struct message *message = message_of_text(&cluster.workers[0], WS_OPCODE_TEXT, "x");

    cluster.workers[1].blocks.bytes_max = 0;
    message_hold(message, 1);
    message_release(&cluster.workers[0], message);
    cr_assert_null(message_take_share(&cluster.workers[1], message));
    cluster_settle(&cluster);
    cr_assert_eq(cluster.homecomings, 1);
    cluster_deinit(&cluster);
}

Test(message, gives_its_topic_up_at_home)
{
    static struct topic_registry registry;
    struct cluster cluster;

    cluster_init(&cluster, 2);
    topic_registry_init(&registry, 2);
    struct message *message = message_of_text(&cluster.workers[0], WS_OPCODE_TEXT, "x");
    struct share *share = share_with(&cluster, message, 1);

    struct topic *topic = topic_find_or_create(&registry, "t");

    message_charge(&cluster.workers[0], message, topic);
    topic_unref(topic);
    message_release(&cluster.workers[0], message);
    share_unref(&cluster.workers[1], share);
    cr_assert_eq(registry.topics_count, 1, "the letter home is on its way");
    cluster_settle(&cluster);
    cr_assert_eq(registry.topics_count, 0);
    topic_registry_deinit(&registry);
    cluster_deinit(&cluster);
}

Test(message, share_that_is_charged_is_on_the_budget_of_its_own_worker)
{
    static struct topic_registry registry;
    struct cluster cluster;

    cluster_init(&cluster, 2);
    topic_registry_init(&registry, 2);
    struct topic *topic = topic_find_or_create(&registry, "t");
    const struct budget *budget = &topic->parts[1].budget;
    struct message *message = message_of_text(&cluster.workers[0], WS_OPCODE_TEXT, "x");

    message_charge(&cluster.workers[0], message, topic);
    message_hold(message, 1);
    struct share *share = message_take_share_charged(&cluster.workers[1], message);

    cr_assert_eq(budget->bytes, block_pool_capacity(share));
    share_ref(share);
    share_unref(&cluster.workers[1], share);
    cr_assert_gt(budget->bytes, 0);
    share_unref(&cluster.workers[1], share);
    cr_assert_eq(budget->bytes, 0);
    message_release(&cluster.workers[0], message);
    topic_unref(topic);
    cluster_settle(&cluster);
    topic_registry_deinit(&registry);
    cluster_deinit(&cluster);
}

Test(message, reference_that_nobody_has_cannot_be_given_up, .signal = SIGABRT)
{
    struct worker worker;

    lone_worker_init(&worker, MEMORY);
    struct message *message = message_create(&worker, 10);

    message->home_share.count = 0;
    share_unref(&worker, &message->home_share);
}
