/* Goal: messages, bytes and age that may wait for a viewer are what the operator said, or less when
 * the viewer asked for less, and never more bytes than there is memory.
 * Method: a worker without threads, one queue. Each bound from one below to one above. */
#include "server/hub/lag/send_bounds.h"

#include "tests/unit/server/hub/send_queue_fixture.h"

TestSuite(send_bounds, .init = open_scene, .fini = close_scene);

static void wait_for_it(const char *text, enum message_class class)
{
    struct message *message = message_of_text(&scene.worker, WS_OPCODE_BINARY, text);

    message->class = class;
    message->received_ms = scene.worker.now_ms;
    cr_assert(send_queue_insert(&scene.viewer.queue, &scene.worker, scene.viewer.queue.count,
                                send_entry_of(&message->home_share)));
    message_release(&scene.worker, message);
}

static bool is_over(const struct send_queue_bounds *bounds, const char *text, unsigned messages_max)
{
    struct message *message = message_of_text(&scene.worker, WS_OPCODE_BINARY, text);
    bool over =
        send_bounds_are_over(&scene.viewer.queue, &scene.worker, bounds, message, messages_max);

    message_release(&scene.worker, message);
    return over;
}

static void clear(void)
{
    send_queue_clear(&scene.viewer.queue, &scene.worker);
}

Test(send_bounds, count_what_waits_behind_what_was_begun)
{
    static const struct send_queue_bounds bounds = {.messages_max = 2, .bytes_max = 1 << 20};

    wait_for_it("begun", MESSAGE_DATA);
    take_at_most(1);
    wait_for_it("a", MESSAGE_DATA);
    cr_assert_not(is_over(&bounds, "b", 2));
    wait_for_it("b", MESSAGE_DATA);
    cr_assert(is_over(&bounds, "c", 2));
    cr_assert_not(is_over(&bounds, "c", 3));
    clear();
}

Test(send_bounds, of_messages_do_not_count_for_a_viewer_that_took_all)
{
    static const struct send_queue_bounds bounds = {.messages_max = 2, .bytes_max = 1 << 20};

    cr_assert_eq(send_bounds_burst(&bounds), SEND_BURST_MAX);
    for (unsigned i = 0; i < SEND_BURST_MAX; i++) {
        cr_assert_not(is_over(&bounds, "b", 2));
        wait_for_it("b", MESSAGE_DATA);
    }
    cr_assert(is_over(&bounds, "b", 2));
    clear();
}

Test(send_bounds, of_messages_count_for_a_viewer_whose_send_is_late)
{
    static const struct send_queue_bounds bounds = {.messages_max = 2, .bytes_max = 1 << 20};
    struct send_queue *queue = &scene.viewer.queue;
    struct iovec slices[1];

    scene.worker.whole_turns = UINT32_MAX; /* it wraps around */
    wait_for_it("in flight", MESSAGE_DATA);
    cr_assert_eq(send_queue_begin(queue, &scene.worker, slices, 1), 1);
    for (unsigned i = 0; i < 3; i++) {
        wait_for_it("b", MESSAGE_DATA);
    }
    cr_assert_not(is_over(&bounds, "b", 2), "in its turn");
    scene.worker.whole_turns++;
    cr_assert_not(is_over(&bounds, "b", 2), "its completion may not have been looked at");
    scene.worker.whole_turns++;
    cr_assert(is_over(&bounds, "b", 2));
    cr_assert_eq(send_queue_end(queue, &scene.worker, 1), 0);
    cr_assert_eq(send_queue_begin(queue, &scene.worker, slices, 1), 1);
    cr_assert(is_over(&bounds, "b", 2), "the kernel had no room for all");
    cr_assert_eq(send_queue_end(queue, &scene.worker, slices[0].iov_len), 1);
    cr_assert_eq(send_queue_begin(queue, &scene.worker, slices, 1), 1);
    cr_assert_not(is_over(&bounds, "b", 2), "all of it was taken");
    cr_assert_eq(send_queue_end(queue, &scene.worker, slices[0].iov_len), 1);
    clear();
}

Test(send_bounds, of_bytes_let_one_message_pass)
{
    static const struct send_queue_bounds bounds = {.messages_max = 99, .bytes_max = 20};

    cr_assert_not(is_over(&bounds, "more than twenty bytes of text", 99));
    wait_for_it("12345678", MESSAGE_DATA);
    cr_assert_not(is_over(&bounds, "12345678", 99), "two headers of two bytes");
    cr_assert(is_over(&bounds, "123456789", 99));
    clear();
}

Test(send_bounds, are_never_more_bytes_than_are_left)
{
    static const struct send_queue_bounds bounds = {.messages_max = 99, .bytes_max = 1 << 20};

    struct message *message = message_of_text(&scene.worker, WS_OPCODE_BINARY, "1");
    struct block_pool *blocks = &scene.worker.blocks;

    wait_for_it("12345678", MESSAGE_DATA);
    blocks->bytes_max -= worker_memory_left(&scene.worker, 0) - 13;
    cr_assert_not(send_bounds_are_over(&scene.viewer.queue, &scene.worker, &bounds, message, 99));
    blocks->bytes_max--;
    cr_assert(send_bounds_are_over(&scene.viewer.queue, &scene.worker, &bounds, message, 99));
    blocks->bytes_max = SCENE_MEMORY;
    message_release(&scene.worker, message);
    clear();
}

Test(send_bounds, of_age_are_the_shorter_of_what_the_operator_says_and_the_viewer_asks)
{
    static const struct {
        uint64_t operator_ms;
        uint32_t asked_ms;
        uint64_t age_ms;
    } cases[] = {{0, 0, 0},        {0, 300, 300},      {1000, 0, 1000},
                 {1000, 300, 300}, {1000, 1000, 1000}, {1000, 5000, 1000}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct send_queue_bounds pictures = {.video_age_ms_max = cases[i].operator_ms};
        const struct send_queue_bounds data = {.age_ms_max = cases[i].operator_ms};
        const struct lag lag = {.age_ms_max = cases[i].asked_ms};

        cr_assert_eq(send_bounds_age_ms(&pictures, &lag, true), cases[i].age_ms);
        cr_assert_eq(send_bounds_age_ms(&data, &lag, false), cases[i].age_ms);
    }
}

Test(send_bounds, of_age_are_another_for_pictures)
{
    static const struct send_queue_bounds bounds = {.age_ms_max = 5000, .video_age_ms_max = 1000};
    static const struct {
        enum message_class class;
        uint64_t age_ms;
    } classes[] = {{MESSAGE_DATA, 5000},      {MESSAGE_STREAM, 1000},     {MESSAGE_KEY, 1000},
                   {MESSAGE_DEPENDENT, 1000}, {MESSAGE_DISPOSABLE, 1000}, {MESSAGE_JPEG, 1000},
                   {MESSAGE_LATEST, 1000}};

    for (size_t i = 0; i < ARRAY_LENGTH(classes); i++) {
        wait_for_it("x", classes[i].class);
        const struct send_entry *entry = send_queue_entry(&scene.viewer.queue, 0);
        uint64_t last_ms = scene.worker.now_ms + classes[i].age_ms;

        cr_assert_not(send_bounds_are_outlived(&bounds, &scene.viewer.lag, entry, last_ms));
        cr_assert(send_bounds_are_half_outlived(&bounds, &scene.viewer.lag, entry, last_ms));
        cr_assert(send_bounds_are_outlived(&bounds, &scene.viewer.lag, entry, last_ms + 1));
        clear();
    }
}

Test(send_bounds, of_age_hold_when_the_oldest_is_young)
{
    static const struct send_queue_bounds bounds = {.age_ms_max = 5000, .video_age_ms_max = 1000};
    const struct send_queue *queue = &scene.viewer.queue;
    const struct lag *lag = &scene.viewer.lag;

    cr_assert_not(send_bounds_may_be_outlived(&bounds, lag, queue, UINT64_MAX));
    wait_for_it("p", MESSAGE_PING);
    cr_assert_not(send_bounds_may_be_outlived(&bounds, lag, queue, UINT64_MAX));
    wait_for_it("d", MESSAGE_DATA);
    cr_assert_not(send_bounds_may_be_outlived(&bounds, lag, queue, scene.worker.now_ms + 500));
    cr_assert(send_bounds_may_be_outlived(&bounds, lag, queue, scene.worker.now_ms + 501));
    clear();
}

/* What a viewer begins with, as hub/stream_join.c queues it. */
static void begin_with(const char *text)
{
    struct message *message = message_of_text(&scene.worker, WS_OPCODE_BINARY, text);
    struct send_entry entry = send_entry_of(&message->home_share);

    entry.is_catch_up = true;
    message->class = MESSAGE_DEPENDENT;
    message->received_ms = scene.worker.now_ms;
    cr_assert(
        send_queue_insert(&scene.viewer.queue, &scene.worker, scene.viewer.queue.count, entry));
    message_release(&scene.worker, message);
}

Test(send_bounds, count_what_comes_behind_the_beginning)
{
    static const struct send_queue_bounds bounds = {.messages_max = 2, .bytes_max = 20};

    begin_with("of many bytes, more than twenty");
    begin_with("2");
    begin_with("3");
    take_at_most(1);
    cr_assert_not(is_over(&bounds, "x", 2));
    wait_for_it("x", MESSAGE_DEPENDENT);
    cr_assert_not(is_over(&bounds, "y", 2));
    cr_assert(is_over(&bounds, "too many bytes for it", 2));
    wait_for_it("y", MESSAGE_DEPENDENT);
    cr_assert(is_over(&bounds, "z", 2));
    take_at_most(SIZE_MAX);
    cr_assert_eq(scene.viewer.queue.catch_up_count, 0);
    cr_assert_eq(scene.viewer.queue.catch_up_bytes, 0);
    clear();
}

Test(send_bounds, let_no_picture_be_too_old_while_a_viewer_begins)
{
    static const struct send_queue_bounds bounds = {
        .messages_max = 9, .bytes_max = 1 << 20, .age_ms_max = 100, .video_age_ms_max = 100};
    const struct send_queue *queue = &scene.viewer.queue;

    wait_for_it("picture", MESSAGE_DEPENDENT);
    wait_for_it("data", MESSAGE_DATA);
    scene.viewer.lag.begins_until_ms = 5000;
    cr_assert_not(
        send_bounds_are_outlived(&bounds, &scene.viewer.lag, send_queue_entry(queue, 0), 4999));
    cr_assert(
        send_bounds_are_outlived(&bounds, &scene.viewer.lag, send_queue_entry(queue, 1), 4999));
    cr_assert(
        send_bounds_are_outlived(&bounds, &scene.viewer.lag, send_queue_entry(queue, 0), 5000));
    clear();
}
