/* Goal: a queue keeps its order, one reference for each entry, and its bytes, whatever is put in,
 * taken out or replaced, and however the kernel splits a send; what is in flight or begun stays.
 * Method: a worker without threads. Single cases, every split of a send, and random use against a
 * plain array. */
#include <signal.h>
#include <stdlib.h>

#include "server/hub/topic.h"
#include "tests/unit/server/hub/send_queue_fixture.h"

TestSuite(send_queue, .init = open_scene, .fini = close_scene);

static bool insert_message(struct message *message, unsigned index)
{
    bool inserted = send_queue_insert(&scene.viewer.queue, &scene.worker, index,
                                      send_entry_of(&message->home_share));

    message_release(&scene.worker, message);
    return inserted;
}

static bool insert(const char *text, unsigned index)
{
    return insert_message(message_of_text(&scene.worker, WS_OPCODE_TEXT, text), index);
}

static bool push(const char *text)
{
    return insert(text, scene.viewer.queue.count);
}

static bool push_control(enum ws_opcode opcode, const char *text)
{
    return insert_message(message_create_control(&scene.worker, opcode, bytes_of_text(text)),
                          scene.viewer.queue.count);
}

static void send_all(void)
{
    for (unsigned i = 0; !send_queue_empty(&scene.viewer.queue); i++) {
        cr_assert_lt(i, 10000, "the queue does not empty");
        take_at_most(SIZE_MAX);
    }
}

static bool insert_share(struct message *message)
{
    return send_queue_insert(&scene.viewer.queue, &scene.worker, scene.viewer.queue.count,
                             send_entry_of(&message->home_share));
}

Test(send_queue, keeps_the_order)
{
    cr_assert(send_queue_empty(&scene.viewer.queue));
    push("one");
    push("two");
    push("");
    push("three");
    cr_assert(!send_queue_empty(&scene.viewer.queue));
    cr_assert_eq(take_at_most(SIZE_MAX), 4);
    expect_sent("one|two||three");
}

Test(send_queue, holds_a_reference_for_each_entry)
{
    struct message *message = message_of_text(&scene.worker, WS_OPCODE_TEXT, "shared");

    for (unsigned i = 0; i < 3; i++) {
        cr_assert(insert_share(message));
        cr_assert_eq(message->home_share.count, i + 2);
    }
    take_at_most(SIZE_MAX);
    cr_assert_eq(message->home_share.count, 1);
    message_release(&scene.worker, message);
    expect_sent("shared|shared|shared");
}

Test(send_queue, sends_the_same_bytes_however_the_kernel_splits_them)
{
    const char *const texts[] = {"hello", "", "a longer message", "z"};
    size_t total = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        total += strlen(texts[i]) + 2;
    }
    for (size_t first = 0; first <= total; first++) {
        for (size_t second = 0; second <= total - first; second++) {
            for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
                push(texts[i]);
            }
            unsigned completed = 0;

            completed += take_at_most(first);
            completed += take_at_most(second);
            cr_assert_eq(scene.sent_len, first + second);
            completed += take_at_most(SIZE_MAX);
            cr_assert_eq(completed, ARRAY_LENGTH(texts));
            cr_assert(send_queue_empty(&scene.viewer.queue));
            expect_sent("hello||a longer message|z");
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        push(texts[i]);
    }
    while (!send_queue_empty(&scene.viewer.queue)) {
        take_at_most(1);
    }
    expect_sent("hello||a longer message|z");
}

Test(send_queue, tries_again_when_nothing_was_sent)
{
    push("patient");
    for (unsigned i = 0; i < 5; i++) {
        cr_assert_eq(take_at_most(0), 0);
    }
    send_all();
    expect_sent("patient");
}

Test(send_queue, does_not_count_control_frames_as_messages_sent)
{
    push_control(WS_OPCODE_PING, "");
    push("data");
    push_control(WS_OPCODE_PONG, "");
    cr_assert_eq(take_at_most(SIZE_MAX), 1);
}

Test(send_queue, takes_a_block_only_while_more_wait_than_fit_inside)
{
    unsigned counts[] = {SEND_QUEUE_INLINE, SEND_QUEUE_INLINE + 1, 17, 65, 128};

    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
        for (unsigned j = 0; j < counts[i]; j++) {
            push("x");
        }
        cr_assert_eq(scene.worker.blocks.blocks_used,
                     counts[i] + (counts[i] > SEND_QUEUE_INLINE ? 1 : 0));
        cr_assert_eq(scene.viewer.queue.entries == scene.viewer.queue.inline_entries,
                     counts[i] <= SEND_QUEUE_INLINE);
        send_all();
        cr_assert_eq(scene.worker.blocks.blocks_used, 0);
        cr_assert_eq(scene.viewer.queue.entries, scene.viewer.queue.inline_entries);
    }
}

Test(send_queue, charges_its_block_to_a_topic_until_it_is_empty)
{
    static struct topic_registry registry;
    const struct send_queue *queue = &scene.viewer.queue;

    topic_registry_init(&registry, 1);
    struct topic *topic = topic_find_or_create(&registry, "t");
    const struct budget *budget = &topic->parts[0].budget;

    for (unsigned charged_at = 0; charged_at < 80; charged_at += 3) {
        for (unsigned i = 0; i < 80; i++) {
            if (i == charged_at) {
                send_queue_charge(&scene.viewer.queue, &scene.worker, topic);
            }
            push("x");
            cr_assert_eq(budget->bytes, i < charged_at || i < SEND_QUEUE_INLINE
                                            ? 0
                                            : block_pool_capacity(queue->entries));
        }
        send_all();
        cr_assert_eq(budget->bytes, 0);
    }
    for (unsigned i = 0; i < 10; i++) {
        push("x");
    }
    cr_assert_eq(budget->bytes, 0, "a charge is for once");
    send_all();
    topic_unref(topic);
    topic_registry_deinit(&registry);
}

Test(send_queue, gives_up_the_topic_that_it_was_never_charged_to)
{
    static struct topic_registry registry;

    topic_registry_init(&registry, 1);
    struct topic *topic = topic_find_or_create(&registry, "t");

    send_queue_charge(&scene.viewer.queue, &scene.worker, topic);
    topic_unref(topic);
    cr_assert_eq(topic_registry_count(&registry), 1);
    send_queue_clear(&scene.viewer.queue, &scene.worker);
    topic_registry_deinit(&registry);
}

Test(send_queue, grows_in_the_middle_of_a_ring_and_of_a_send)
{
    struct iovec slices[SEND_SLICES_MAX];

    push("1");
    push("2");
    push("3");
    cr_assert_eq(take_at_most(6), 2);
    expect_sent("1|2");
    cr_assert_eq(send_queue_begin(&scene.viewer.queue, &scene.worker, slices, 1), 1);
    push("4");
    push("5");
    push("6");
    push("7");
    push("8");
    cr_assert_eq(memcmp(slices[0].iov_base,
                        "\x81\x01"
                        "3",
                        3),
                 0);
    cr_assert_eq(send_queue_end(&scene.viewer.queue, &scene.worker, 2), 0);
    send_all();
    cr_assert_eq(scene.sent[0], '3', "goes on where it stopped");
    memmove(scene.sent, scene.sent + 1, --scene.sent_len);
    expect_sent("4|5|6|7|8");
}

Test(send_queue, drops_a_message_when_there_is_no_memory_to_grow)
{
    struct message *message = message_of_text(&scene.worker, WS_OPCODE_TEXT, "x");

    struct block_pool *blocks = &scene.worker.blocks;

    for (unsigned i = 0; i < SEND_QUEUE_INLINE; i++) {
        cr_assert(insert_share(message));
    }
    /* Enough for what waits, too little for a block of places. */
    blocks->bytes_max = blocks->bytes_held + 100;
    cr_assert(!insert_share(message));
    cr_assert_eq(counted(&scene.worker, messages_dropped_memory), 1);
    cr_assert_eq(message->home_share.count, 1 + SEND_QUEUE_INLINE);
    message_release(&scene.worker, message);
    send_all();
    expect_sent("x|x|x|x");
}

Test(send_queue, limits_what_one_send_describes)
{
    enum { LARGE = 100 * 1000 };
    struct iovec slices[SEND_SLICES_MAX];

    for (unsigned i = 0; i < 100; i++) {
        push("small");
    }
    cr_assert_eq(send_queue_begin(&scene.viewer.queue, &scene.worker, slices, SEND_SLICES_MAX),
                 SEND_SLICES_MAX);
    cr_assert_eq(send_queue_end(&scene.viewer.queue, &scene.worker, 0), 0);
    cr_assert_eq(send_queue_begin(&scene.viewer.queue, &scene.worker, slices, 3), 3);
    cr_assert_eq(send_queue_end(&scene.viewer.queue, &scene.worker, 0), 0);
    send_queue_clear(&scene.viewer.queue, &scene.worker);
    for (unsigned i = 0; i < 4; i++) {
        struct message *message = message_create(&scene.worker, LARGE);

        message->payload_len = LARGE;
        message_frame(message, WS_OPCODE_BINARY);
        insert_message(message, scene.viewer.queue.count);
    }
    cr_assert_eq(send_queue_begin(&scene.viewer.queue, &scene.worker, slices, SEND_SLICES_MAX), 2,
                 "three would exceed SEND_BYTES_MAX");
    cr_assert_eq(send_queue_end(&scene.viewer.queue, &scene.worker, 0), 0);
    send_queue_clear(&scene.viewer.queue, &scene.worker);
}

Test(send_queue, sends_a_message_alone_that_is_larger_than_one_send)
{
    struct iovec slices[SEND_SLICES_MAX];
    struct message *message = message_create(&scene.worker, MESSAGE_BYTES_MAX);

    message->payload_len = MESSAGE_BYTES_MAX;
    message_frame(message, WS_OPCODE_BINARY);
    insert_message(message, scene.viewer.queue.count);
    push("next");
    cr_assert_eq(send_queue_begin(&scene.viewer.queue, &scene.worker, slices, SEND_SLICES_MAX), 1);
    cr_assert_eq(slices[0].iov_len, MESSAGE_BYTES_MAX + 10);
    cr_assert_eq(send_queue_end(&scene.viewer.queue, &scene.worker, SEND_BYTES_MAX), 0);
    cr_assert_eq(send_queue_begin(&scene.viewer.queue, &scene.worker, slices, SEND_SLICES_MAX), 1);
    cr_assert_eq(slices[0].iov_len, MESSAGE_BYTES_MAX + 10 - SEND_BYTES_MAX);
    cr_assert_eq(send_queue_end(&scene.viewer.queue, &scene.worker, slices[0].iov_len), 1);
    send_all();
    expect_sent("next");
}

Test(send_queue, is_not_cleared_while_the_kernel_has_its_bytes, .signal = SIGABRT)
{
    struct iovec slices[SEND_SLICES_MAX];

    push("a");
    cr_assert_eq(send_queue_begin(&scene.viewer.queue, &scene.worker, slices, 1), 1);
    send_queue_clear(&scene.viewer.queue, &scene.worker);
}

/* What must not happen in this state; the test expects the process to be stopped. */
static void begin_two_of_three(void)
{
    struct iovec slices[SEND_SLICES_MAX];

    push("a");
    push("b");
    push("c");
    cr_assert_eq(send_queue_begin(&scene.viewer.queue, &scene.worker, slices, 2), 2);
}

Test(send_queue, lets_nothing_in_before_what_is_in_flight, .signal = SIGABRT)
{
    begin_two_of_three();
    insert("x", 1);
}

Test(send_queue, lets_nothing_out_of_what_is_in_flight, .signal = SIGABRT)
{
    begin_two_of_three();
    send_queue_remove(&scene.viewer.queue, &scene.worker, 1);
}

Test(send_queue, replaces_nothing_that_is_begun, .signal = SIGABRT)
{
    struct message *message = message_of_text(&scene.worker, WS_OPCODE_TEXT, "x");

    push("begun");
    cr_assert_eq(take_at_most(3), 0);
    send_queue_replace(&scene.viewer.queue, &scene.worker, 0, send_entry_of(&message->home_share));
}

Test(send_queue, takes_in_and_out_at_any_place_behind_what_is_in_flight)
{
    struct message *message = message_of_text(&scene.worker, WS_OPCODE_TEXT, "new");

    begin_two_of_three();
    cr_assert(insert("first", 2));
    cr_assert(insert("last", 4));
    send_queue_replace(&scene.viewer.queue, &scene.worker, 3, send_entry_of(&message->home_share));
    cr_assert_eq(message->home_share.count, 2);
    message_release(&scene.worker, message);
    cr_assert(insert("out", 3));
    cr_assert_eq(bytes_equal(message_bytes(send_queue_at(&scene.viewer.queue, 3)),
                             bytes_of_text("\x81\x03out")),
                 true);
    send_queue_remove(&scene.viewer.queue, &scene.worker, 3);
    cr_assert_eq(send_queue_end(&scene.viewer.queue, &scene.worker, 5), 1);
    send_all();
    cr_assert_eq(scene.sent[0], 'b', "goes on where it stopped");
    memmove(scene.sent, scene.sent + 1, --scene.sent_len);
    expect_sent("first|new|last");
}

/* A message of which a viewer may receive each part; the caller has its one reference. */
static struct message *message_of_parts(struct topic *topic, const char *text)
{
    struct message *message = message_of_text(&scene.worker, WS_OPCODE_TEXT, text);

    message_charge(&scene.worker, message, topic);
    cr_assert(message_part_start_at(&scene.worker, message, 2, bytes_of_text("<>"), 3));
    return message;
}

static void push_parts(struct topic *topic, const char *text)
{
    struct message *message = message_of_parts(topic, text);

    for (enum message_part part = MESSAGE_WHOLE; part <= MESSAGE_STOP; part++) {
        struct send_entry entry = {.share = &message->home_share, .part = (uint8_t)part};

        cr_assert(
            send_queue_insert(&scene.viewer.queue, &scene.worker, scene.viewer.queue.count, entry));
    }
    message_release(&scene.worker, message);
}

Test(send_queue, sends_parts_however_the_kernel_splits_them)
{
    struct topic_registry registry;

    topic_registry_init(&registry, 1);
    struct topic *topic = topic_find_or_create(&registry, "parts");

    for (size_t step = 1; step < 80; step++) {
        uint64_t payload_sent = scene.viewer.queue.payload_sent;
        unsigned completed = 0;

        push("data");
        push_parts(topic, "camera");
        push_parts(topic, "abc");
        cr_assert_eq(send_queue_slices(&scene.viewer.queue), 7 + 4);
        while (!send_queue_empty(&scene.viewer.queue)) {
            completed += take_at_most(step);
        }
        cr_assert_eq(completed, 7);
        cr_assert_eq(scene.viewer.queue.payload_sent - payload_sent, 4 + 6 + 6 + 3 + 3 + 3 + 3);
        cr_assert_eq(scene.viewer.queue.parts_count, 0);
        expect_sent("data|camera|<>mera|cam|abc|<>c|abc");
    }
    topic_unref(topic);
    topic_registry_deinit(&registry);
}

Test(send_queue, sends_a_part_whole_in_the_least_room)
{
    struct iovec slices[MESSAGE_PART_SLICES];
    struct topic_registry registry;

    topic_registry_init(&registry, 1);
    struct topic *topic = topic_find_or_create(&registry, "parts");

    push_parts(topic, "camera");
    cr_assert_eq(send_queue_begin(&scene.viewer.queue, &scene.worker, slices, MESSAGE_PART_SLICES),
                 1, "the second does not fit whole");
    cr_assert_eq(send_queue_end(&scene.viewer.queue, &scene.worker, slices[0].iov_len), 1);
    cr_assert_eq(send_queue_begin(&scene.viewer.queue, &scene.worker, slices, MESSAGE_PART_SLICES),
                 2);
    cr_assert_eq(send_queue_pinned(&scene.viewer.queue), 1);
    cr_assert_eq(send_queue_end(&scene.viewer.queue, &scene.worker, 1), 0);
    send_queue_clear(&scene.viewer.queue, &scene.worker);
    topic_unref(topic);
    topic_registry_deinit(&registry);
}

Test(send_queue, tells_from_when_the_age_of_an_entry_counts)
{
    struct message *message = message_of_text(&scene.worker, WS_OPCODE_TEXT, "x");
    struct send_entry entry = send_entry_of(&message->home_share);

    message->received_ms = UINT64_C(0x123456789);
    entry.late_ms = 5;
    cr_assert(send_queue_insert(&scene.viewer.queue, &scene.worker, 0, entry));
    cr_assert_eq(send_entry_since_ms(send_queue_entry(&scene.viewer.queue, 0)),
                 message->received_ms + 5);
    message_release(&scene.worker, message);
    send_queue_clear(&scene.viewer.queue, &scene.worker);
}

enum { MODEL_ENTRIES_MAX = 300 };

/* The same on an array of the texts. */
struct model {
    uint32_t numbers[MODEL_ENTRIES_MAX];
    unsigned count, pinned, begun;
};

static struct message *numbered(uint32_t number)
{
    char text[16];

    snprintf(text, sizeof text, "%08x", number);
    return message_of_text(&scene.worker, WS_OPCODE_TEXT, text);
}

static void change(struct model *model, uint32_t number)
{
    unsigned place = model->pinned + (unsigned)rand() % (model->count - model->pinned + 1);
    uint32_t *at = &model->numbers[place];
    size_t behind = (model->count - place) * sizeof *at;

    if (place == model->count || (rand() % 2 == 0 && model->count < MODEL_ENTRIES_MAX - 1)) {
        cr_assert(insert_message(numbered(number), place));
        memmove(at + 1, at, behind);
        *at = number;
        model->count++;
    } else if (rand() % 3 == 0) {
        struct message *message = numbered(number);

        send_queue_replace(&scene.viewer.queue, &scene.worker, place,
                           send_entry_of(&message->home_share));
        message_release(&scene.worker, message);
        *at = number;
    } else {
        send_queue_remove(&scene.viewer.queue, &scene.worker, place);
        memmove(at, at + 1, behind - sizeof *at);
        model->count--;
    }
}

/* Begins a send, or ends one with a part of it. */
static void turn(struct model *model)
{
    enum { FRAME = 2 + 8 };
    struct iovec slices[SEND_SLICES_MAX];

    if (scene.viewer.queue.in_flight == 0) {
        model->pinned =
            send_queue_begin(&scene.viewer.queue, &scene.worker, slices, 1 + (unsigned)rand() % 8);
        return;
    }
    size_t len = (unsigned)rand() % (model->pinned * FRAME - model->begun + 1);
    unsigned completed = (unsigned)(len + model->begun) / FRAME;

    cr_assert_eq(send_queue_end(&scene.viewer.queue, &scene.worker, len), completed);
    memmove(model->numbers, model->numbers + completed,
            (model->count - completed) * sizeof model->numbers[0]);
    model->count -= completed;
    model->begun = (unsigned)(len + model->begun) % FRAME;
    model->pinned = model->begun > 0 ? 1 : 0;
}

static void compare(const struct model *model)
{
    size_t bytes = 0;

    cr_assert_eq(scene.viewer.queue.count, model->count);
    cr_assert_eq(send_queue_pinned(&scene.viewer.queue), model->pinned);
    for (unsigned i = 0; i < model->count; i++) {
        const struct message *message = send_queue_at(&scene.viewer.queue, i);
        char text[16];

        snprintf(text, sizeof text, "%08x", model->numbers[i]);
        cr_assert_eq(memcmp(message->payload, text, 8), 0);
        bytes += message_len(message);
    }
    cr_assert_eq(scene.viewer.queue.bytes, bytes);
    cr_assert_eq(scene.worker.blocks.blocks_used,
                 model->count + (scene.viewer.queue.entries != scene.viewer.queue.inline_entries));
}

Test(send_queue, does_what_an_array_does_under_random_use)
{
    for (unsigned round = 0; round < 40; round++) {
        struct model model = {.count = 0};

        srand(round);
        for (uint32_t step = 0; step < 1000; step++) {
            if (rand() % 4 != 0 && model.count < MODEL_ENTRIES_MAX - 1) {
                change(&model, step);
            } else if (model.count > 0) {
                turn(&model);
            }
            compare(&model);
        }
        if (scene.viewer.queue.in_flight > 0) {
            send_queue_end(&scene.viewer.queue, &scene.worker, 0);
        }
        send_queue_clear(&scene.viewer.queue, &scene.worker);
    }
}
