/* Goal: a viewer gets the newest messages when it is slow; bounds hold; what the kernel has or has
 * begun to send is never touched; control frames are never dropped.
 * Method: a worker without threads. Each class, single cases, and random use against a plain array
 * that keeps the same rules. */
#include <stdlib.h>

#include "server/hub/drop_policy.h"
#include "tests/unit/server/hub/send_queue_fixture.h"

static const struct send_queue_bounds roomy = {.messages_max = 128, .bytes_max = 1 << 24};

TestSuite(drop_policy, .init = open_scene, .fini = close_scene);

static bool push_message(struct message *message, const struct send_queue_bounds *bounds)
{
    bool pushed = drop_policy_push(&scene.viewer, &scene.worker, bounds, &message->home_share);

    message_release(&scene.worker, message);
    return pushed;
}

static bool push(const char *text, const struct send_queue_bounds *bounds)
{
    struct message *message = message_of_text(&scene.worker, WS_OPCODE_TEXT, text);

    message->received_ms = scene.worker.now_ms;
    return push_message(message, bounds);
}

static bool push_control(enum ws_opcode opcode, const char *text,
                         const struct send_queue_bounds *bounds)
{
    struct message *message = message_create_control(&scene.worker, opcode, bytes_of_text(text));

    cr_assert_not_null(message);
    return push_message(message, bounds);
}

/* A send that is late at once: the kernel has no room. */
static unsigned begin(const struct send_queue_bounds *bounds, struct iovec *slices,
                      unsigned slices_max)
{
    drop_policy_drop_old(&scene.viewer, &scene.worker, bounds);
    unsigned count = send_queue_begin(&scene.viewer.queue, &scene.worker, slices, slices_max);

    scene.worker.whole_turns += 2;
    return count;
}

static unsigned send_at_most(size_t len, const struct send_queue_bounds *bounds)
{
    drop_policy_drop_old(&scene.viewer, &scene.worker, bounds);
    return take_at_most(len);
}

static void send_all(const struct send_queue_bounds *bounds)
{
    for (unsigned i = 0; !send_queue_empty(&scene.viewer.queue); i++) {
        cr_assert_lt(i, 10000, "the queue does not empty");
        send_at_most(SIZE_MAX, bounds);
    }
}

/* A viewer that has not taken all of its first message: now its bounds count. */
static void make_slow(const struct send_queue_bounds *bounds)
{
    cr_assert(push("slow", bounds));
    cr_assert_eq(send_at_most(1, bounds), 0);
}

/* One of a class, whose bytes tell it from others. */
static bool push_class(enum message_class class, const char *text,
                       const struct send_queue_bounds *bounds)
{
    struct message *message = message_of_text(&scene.worker, WS_OPCODE_BINARY, text);

    message->class = class;
    message->received_ms = scene.worker.now_ms;
    message->stream = 1;
    return push_message(message, bounds);
}

/* Where each class goes, and whether it gives way to newer data, to age, and to a goodbye. */
static const struct {
    enum message_class class;
    const char *sent; /* when "data" waited before and came after it */
    bool gives_way, stays_for_goodbye;
} classes[] = {
    {MESSAGE_DATA, "data|this|data", true, false},
    {MESSAGE_STREAM, "data|this|data", true, false},
    {MESSAGE_KEY, "data|this|data", true, false},
    {MESSAGE_DEPENDENT, "data|this|data", true, false},
    {MESSAGE_DISPOSABLE, "data|this|data", true, false},
    {MESSAGE_JPEG, "data|this|data", false, false},
    {MESSAGE_LATEST, "data|this|data", false, false},
    {MESSAGE_UNFRAMED, "data|this|data", false, true},
    {MESSAGE_PING, "this|data|data", false, false},
    {MESSAGE_PONG, "this|data|data", false, false},
    {MESSAGE_ANSWER, "this|data|data", false, false},
    {MESSAGE_NOTICE, "this|data|data", false, false},
    {MESSAGE_CLOSE, "data|this|data", false, false},
};

_Static_assert(ARRAY_LENGTH(classes) == MESSAGE_CLASS_COUNT, "each class has a row");

Test(drop_policy, has_a_place_for_each_class)
{
    for (size_t i = 0; i < ARRAY_LENGTH(classes); i++) {
        push("data", &roomy);
        cr_assert(push_class(classes[i].class, "this", &roomy));
        push("data", &roomy);
        send_all(&roomy);
        expect_sent(classes[i].sent);
    }
}

Test(drop_policy, drops_of_each_class_only_what_gives_way)
{
    static const struct send_queue_bounds one = {
        .messages_max = 1, .bytes_max = 1 << 20, .age_ms_max = 10, .video_age_ms_max = 10};

    for (size_t i = 0; i < ARRAY_LENGTH(classes); i++) {
        make_slow(&one);
        push_class(classes[i].class, "this", &one);
        push("newer", &one);
        send_all(&one);
        expect_sent(classes[i].gives_way ? "slow|newer" : "slow|this|newer");
        push_class(classes[i].class, "this", &one);
        scene.worker.now_ms += 11;
        send_all(&one);
        expect_sent(classes[i].gives_way ? "" : "this");
        push_class(classes[i].class, "this", &one);
        drop_policy_drop_waiting(&scene.viewer.queue, &scene.worker);
        send_all(&one);
        expect_sent(classes[i].stays_for_goodbye ? "this" : "");
    }
}

Test(drop_policy, drops_the_oldest_at_its_bound_of_messages)
{
    static const struct send_queue_bounds three = {.messages_max = 3, .bytes_max = 1 << 20};
    const char *const texts[] = {"a", "b", "c", "d", "e"};

    make_slow(&three);
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        cr_assert(push(texts[i], &three));
        cr_assert_leq(scene.viewer.queue.count, 1 + 3);
    }
    cr_assert_eq(counted(&scene.worker, messages_dropped_queue), 2);
    send_all(&three);
    expect_sent("slow|c|d|e");
}

Test(drop_policy, drops_the_oldest_at_its_bound_of_bytes)
{
    /* Each frame has a header of two bytes. */
    static const struct send_queue_bounds bytes = {.messages_max = 100, .bytes_max = 30};

    push("0123456789", &bytes);
    push("abcd", &bytes);
    push("0123456789", &bytes);
    cr_assert_eq(scene.viewer.queue.bytes, 30);
    cr_assert_eq(counted(&scene.worker, messages_dropped_queue), 0, "exactly full is not over");
    push("x", &bytes);
    cr_assert_eq(counted(&scene.worker, messages_dropped_queue), 1);
    push("0123456789012345678", &bytes);
    cr_assert_eq(counted(&scene.worker, messages_dropped_queue), 3);
    send_all(&bytes);
    expect_sent("x|0123456789012345678");
}

Test(drop_policy, lets_one_message_pass_that_is_larger_than_its_bound_of_bytes)
{
    static const struct send_queue_bounds bytes = {.messages_max = 100, .bytes_max = 10};

    push("small", &bytes);
    cr_assert(push("much larger than ten bytes", &bytes));
    cr_assert_eq(scene.viewer.queue.count, 1);
    push("next", &bytes);
    send_all(&bytes);
    expect_sent("next");
    cr_assert(push("much larger than ten bytes", &bytes));
    send_all(&bytes);
    expect_sent("much larger than ten bytes");
}

Test(drop_policy, drops_what_waited_too_long)
{
    static const struct send_queue_bounds aged = {
        .messages_max = 100, .bytes_max = 1 << 20, .age_ms_max = 1000};

    scene.worker.now_ms = 50000;
    push("first", &aged);
    scene.worker.now_ms = 50500;
    push("second", &aged);
    scene.worker.now_ms = 51000;
    send_at_most(7, &aged);
    expect_sent("first");
    scene.worker.now_ms = 51500;
    push("third", &aged);
    scene.worker.now_ms = 51501;
    send_all(&aged);
    expect_sent("third");
    cr_assert_eq(counted(&scene.worker, messages_dropped_age), 1);
}

Test(drop_policy, has_no_limit_of_age_when_it_is_zero)
{
    scene.worker.now_ms = 1;
    push("old", &roomy);
    scene.worker.now_ms = UINT64_MAX / 2;
    send_all(&roomy);
    expect_sent("old");
    cr_assert_eq(counted(&scene.worker, messages_dropped_age), 0);
}

Test(drop_policy, can_become_empty_by_age_alone)
{
    static const struct send_queue_bounds aged = {
        .messages_max = 100, .bytes_max = 1 << 20, .age_ms_max = 10};
    struct iovec slices[SEND_SLICES_MAX];

    for (unsigned i = 0; i < 20; i++) {
        push("stale", &aged);
    }
    scene.worker.now_ms = 1000;
    cr_assert_eq(begin(&aged, slices, SEND_SLICES_MAX), 0);
    cr_assert(send_queue_empty(&scene.viewer.queue));
    cr_assert_eq(counted(&scene.worker, messages_dropped_age), 20);
    push("fresh", &roomy);
    send_all(&roomy);
    expect_sent("fresh");
}

Test(drop_policy, does_not_age_what_another_workers_clock_puts_into_the_future)
{
    static const struct send_queue_bounds aged = {
        .messages_max = 100, .bytes_max = 1 << 20, .age_ms_max = 10};

    scene.worker.now_ms = 2000;
    push("ahead", &aged);
    scene.worker.now_ms = 1990;
    send_all(&aged);
    expect_sent("ahead");
}

Test(drop_policy, never_drops_what_is_in_flight)
{
    static const struct send_queue_bounds two = {
        .messages_max = 2, .bytes_max = 1 << 20, .age_ms_max = 10};
    struct iovec slices[SEND_SLICES_MAX];

    push("a", &two);
    push("b", &two);
    cr_assert_eq(begin(&two, slices, SEND_SLICES_MAX), 2);
    const void *first = slices[0].iov_base;

    scene.worker.now_ms = 5000;
    for (unsigned i = 0; i < 10; i++) {
        cr_assert(push("x", &two));
    }
    cr_assert_eq(counted(&scene.worker, messages_dropped_queue), 8);
    cr_assert_eq(scene.viewer.queue.count, 4);
    drop_policy_drop_waiting(&scene.viewer.queue, &scene.worker);
    cr_assert_eq(scene.viewer.queue.count, 2);
    cr_assert_eq(memcmp(first,
                        "\x81\x01"
                        "a",
                        3),
                 0, "its bytes are still there");
    cr_assert_eq(send_queue_end(&scene.viewer.queue, &scene.worker, 6), 2);
}

Test(drop_policy, always_has_a_place_for_the_newest)
{
    for (uint32_t messages_max = 1; messages_max <= 128; messages_max++) {
        struct send_queue_bounds bounds = {.messages_max = messages_max, .bytes_max = 1 << 20};
        struct iovec slices[SEND_SLICES_MAX];

        for (unsigned i = 0; i < 200; i++) {
            push("old", &bounds);
        }
        unsigned in_flight = begin(&bounds, slices, SEND_SLICES_MAX);

        for (unsigned i = 0; i < 200; i++) {
            cr_assert(push("x", &bounds));
        }
        cr_assert(push("newest", &bounds));
        cr_assert_eq(scene.viewer.queue.count, in_flight + messages_max);
        send_queue_end(&scene.viewer.queue, &scene.worker, in_flight * strlen("??old"));
        while (scene.viewer.queue.count > 1) {
            send_at_most(strlen("??x"), &bounds);
        }
        scene.sent_len = 0;
        send_all(&bounds);
        expect_sent("newest");
    }
}

Test(drop_policy, has_a_place_for_the_newest_behind_more_bytes_than_its_bound)
{
    static const struct send_queue_bounds bytes = {.messages_max = 100, .bytes_max = 20};
    struct iovec slices[SEND_SLICES_MAX];

    push("larger than all the bound", &bytes);
    cr_assert_eq(begin(&bytes, slices, SEND_SLICES_MAX), 1);
    cr_assert(push("another that is larger", &bytes));
    cr_assert(push("8 bytes.", &bytes));
    cr_assert(push("8 more..", &bytes));
    cr_assert_eq(scene.viewer.queue.count, 3, "both fit, when the large one went");
    cr_assert(push("8 newest", &bytes));
    cr_assert_eq(scene.viewer.queue.count, 3);
    send_queue_end(&scene.viewer.queue, &scene.worker, slices[0].iov_len);
    send_all(&bytes);
    expect_sent("8 more..|8 newest");
}

Test(drop_policy, loses_nothing_of_a_burst_for_a_viewer_that_took_all)
{
    static const struct send_queue_bounds few = {.messages_max = 8, .bytes_max = 1 << 20};

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < SEND_BURST_MAX; i++) {
            cr_assert(push("b", &few));
        }
        cr_assert_eq(scene.viewer.queue.count, SEND_BURST_MAX);
        send_all(&few);
        scene.sent_len = 0;
    }
    cr_assert_eq(counted(&scene.worker, messages_dropped_queue), 0);
    for (unsigned i = 0; i <= SEND_BURST_MAX; i++) {
        cr_assert(push("b", &few));
    }
    cr_assert_eq(counted(&scene.worker, messages_dropped_queue), 1);
    send_at_most(1, &few);
    cr_assert(push("c", &few), "begun and not taken: now it is slow");
    cr_assert_eq(scene.viewer.queue.count, 1 + 8);
    send_all(&few);
}

Test(drop_policy, drops_behind_what_is_in_flight)
{
    static const struct send_queue_bounds three = {.messages_max = 3, .bytes_max = 1 << 20};
    struct iovec slices[SEND_SLICES_MAX];

    push("a", &three);
    cr_assert_eq(begin(&three, slices, 1), 1);
    push("b", &three);
    push("c", &three);
    push("d", &three);
    push("e", &three);
    push("f", &three);
    cr_assert_eq(counted(&scene.worker, messages_dropped_queue), 2);
    cr_assert_eq(send_queue_end(&scene.viewer.queue, &scene.worker, 3), 1);
    send_all(&three);
    expect_sent("d|e|f");
}

Test(drop_policy, finishes_what_it_has_begun_to_send)
{
    static const struct send_queue_bounds one = {
        .messages_max = 1, .bytes_max = 20, .age_ms_max = 10};

    push("begun", &one);
    cr_assert_eq(send_at_most(3, &one), 0);
    cr_assert(push("next", &one), "one may wait behind the begun one");
    cr_assert(push("newer", &one));
    cr_assert_eq(scene.viewer.queue.count, 2);
    scene.worker.now_ms = 9999;
    drop_policy_drop_waiting(&scene.viewer.queue, &scene.worker);
    cr_assert_eq(scene.viewer.queue.count, 1);
    cr_assert_eq(send_at_most(SIZE_MAX, &one), 1);
    expect_sent("begun");
}

Test(drop_policy, never_drops_control_frames)
{
    static const struct send_queue_bounds two = {
        .messages_max = 2, .bytes_max = 12, .age_ms_max = 10};

    push("a", &two);
    push_control(WS_OPCODE_PING, "p1", &two);
    push("b", &two);
    push_control(WS_OPCODE_PONG, "p2", &two);
    scene.worker.now_ms = 1000;
    for (unsigned i = 0; i < 30; i++) {
        push("much too long for this queue", &two);
    }
    push_control(WS_OPCODE_CLOSE, "\x03\xe8", &two);
    send_all(&two);
    expect_sent("[p1]|[p2]|much too long for this queue|[\x03\xe8]");
}

Test(drop_policy, has_room_for_control_frames_when_it_is_full)
{
    static const struct send_queue_bounds few = {.messages_max = 8, .bytes_max = 1 << 20};
    unsigned controls = 0;

    for (unsigned i = 0; i < SEND_BURST_MAX; i++) {
        cr_assert(push("data", &few));
    }
    send_at_most(1, &few); /* all of a burst waits behind what was begun */
    while (push_control(WS_OPCODE_CLOSE, "", &few)) {
        controls++;
        cr_assert_leq(controls, 1 + SEND_QUEUE_CONTROL);
    }
    cr_assert_eq(controls, 1 + SEND_QUEUE_CONTROL, "one for the place of the begun one");
    send_queue_clear(&scene.viewer.queue, &scene.worker);
}

Test(drop_policy, sends_urgent_frames_before_the_data_that_waits)
{
    push("a", &roomy);
    push("b", &roomy);
    push_control(WS_OPCODE_PONG, "1", &roomy);
    push("c", &roomy);
    push_control(WS_OPCODE_PONG, "2", &roomy);
    push_control(WS_OPCODE_CLOSE, "bye", &roomy);
    push_control(WS_OPCODE_PONG, "3", &roomy);
    send_all(&roomy);
    expect_sent("[1]|[2]|[3]|a|b|c|[bye]");
}

Test(drop_policy, sends_urgent_frames_behind_what_it_has_begun)
{
    struct iovec slices[SEND_SLICES_MAX];

    push("begun", &roomy);
    push("b", &roomy);
    cr_assert_eq(send_at_most(3, &roomy), 0);
    push_control(WS_OPCODE_PONG, "1", &roomy);
    send_all(&roomy);
    expect_sent("begun|[1]|b");
    push("a", &roomy);
    push("b", &roomy);
    push("c", &roomy);
    cr_assert_eq(begin(&roomy, slices, 2), 2);
    push_control(WS_OPCODE_PONG, "1", &roomy);
    push_control(WS_OPCODE_PONG, "2", &roomy);
    cr_assert_eq(send_queue_end(&scene.viewer.queue, &scene.worker, 3), 1);
    send_all(&roomy);
    expect_sent("b|[1]|[2]|c");
}

/* An HTTP answer: no frame's header in front. */
static void push_answer(const char *text)
{
    struct message *message = message_create(&scene.worker, strlen(text));

    cr_assert_not_null(message);
    memcpy(message->payload, text, strlen(text));
    message->payload_len = (uint32_t)strlen(text);
    message->class = MESSAGE_UNFRAMED;
    cr_assert(push_message(message, &roomy));
}

Test(drop_policy, lets_no_frame_pass_the_answer_to_the_upgrade)
{
    struct iovec slices[SEND_SLICES_MAX];

    push_answer("answer");
    push_answer("switched");
    push_control(WS_OPCODE_PONG, "1", &roomy);
    push("data", &roomy);
    push_control(WS_OPCODE_PONG, "22", &roomy);
    cr_assert_eq(begin(&roomy, slices, SEND_SLICES_MAX), 5);
    cr_assert_eq(slices[0].iov_len, strlen("answer"));
    cr_assert_eq(slices[1].iov_len, strlen("switched"));
    cr_assert_eq(slices[2].iov_len, 2 + 1, "the older pong");
    cr_assert_eq(slices[3].iov_len, 2 + 2, "the newer pong");
    cr_assert_eq(slices[4].iov_len, 2 + 4, "data");
    cr_assert_eq(send_queue_end(&scene.viewer.queue, &scene.worker, 6 + 8 + 3 + 4 + 6), 1);
}

Test(drop_policy, keeps_the_answer_to_the_upgrade_for_the_goodbye)
{
    push_answer("switched");
    push("data", &roomy);
    push_control(WS_OPCODE_PONG, "1", &roomy);
    drop_policy_drop_waiting(&scene.viewer.queue, &scene.worker);
    cr_assert_eq(scene.viewer.queue.count, 1);
    cr_assert_eq(scene.viewer.queue.bytes, strlen("switched"));
    push_control(WS_OPCODE_CLOSE, "bye", &roomy);
    cr_assert_eq(send_at_most(strlen("switched"), &roomy), 0);
    scene.sent_len = 0;
    send_all(&roomy);
    expect_sent("[bye]");
}

static bool replace_pong(const char *text)
{
    struct message *message =
        message_create_control(&scene.worker, WS_OPCODE_PONG, bytes_of_text(text));

    cr_assert_not_null(message);
    bool replaced =
        drop_policy_replace_answer(&scene.viewer.queue, &scene.worker, &message->home_share);

    message_release(&scene.worker, message);
    return replaced;
}

Test(drop_policy, lets_the_newest_pong_take_the_place_of_another_when_many_wait)
{
    push("data", &roomy);
    push_control(WS_OPCODE_PING, "ours", &roomy);
    for (unsigned i = 0; i < ANSWERS_QUEUED_MAX; i++) {
        const char text[] = {(char)('a' + i), '\0'};

        cr_assert(!replace_pong("new"), "%u are not many", i);
        push_control(WS_OPCODE_PONG, text, &roomy);
    }
    uint64_t bytes = scene.viewer.queue.bytes;

    cr_assert(replace_pong("newer"));
    cr_assert(replace_pong("newest"));
    cr_assert_eq(scene.viewer.queue.bytes, bytes + strlen("newest") - 1);
    send_all(&roomy);
    expect_sent("[ours]|[a]|[b]|[c]|[d]|[e]|[f]|[g]|[h]|[i]|[j]|[k]|[l]|[m]|[n]|[o]|[newest]|data");
}

Test(drop_policy, does_not_replace_a_pong_that_is_on_its_way)
{
    struct iovec slices[SEND_SLICES_MAX];

    for (unsigned i = 0; i < ANSWERS_QUEUED_MAX; i++) {
        push_control(WS_OPCODE_PONG, "p", &roomy);
    }
    cr_assert_eq(begin(&roomy, slices, SEND_SLICES_MAX), ANSWERS_QUEUED_MAX);
    cr_assert(!replace_pong("new"), "none of them waits");
    cr_assert_eq(send_queue_end(&scene.viewer.queue, &scene.worker, 4), 0);
    cr_assert(!replace_pong("new"), "one was begun");
    send_all(&roomy);
    cr_assert_eq(scene.viewer.queue.count, 0);
}

Test(drop_policy, leaves_to_others_what_it_may_have_itself)
{
    enum { MEMORY_LEFT = 100000, LARGE = 3900 }; /* its block is hardly larger */
    struct block_pool *blocks = &scene.worker.blocks;

    make_slow(&roomy);
    blocks->bytes_max = blocks->bytes_held + MEMORY_LEFT;
    for (unsigned i = 0; i < 100; i++) {
        struct message *message = message_create(&scene.worker, LARGE);

        cr_assert_not_null(message, "message %u finds no memory", i);
        message->payload_len = LARGE;
        message_frame(message, WS_OPCODE_BINARY);
        push_message(message, &roomy);
    }
    cr_assert_gt(counted(&scene.worker, messages_dropped_queue), 0);
    cr_assert_geq(block_pool_left(blocks), MEMORY_LEFT / 2 - LARGE);
    cr_assert_geq(scene.viewer.queue.bytes, MEMORY_LEFT / 2 - 2 * LARGE, "half is its own");
    send_queue_clear(&scene.viewer.queue, &scene.worker);
}

Test(drop_policy, drops_what_became_too_old_beside_a_send_in_flight)
{
    static const struct send_queue_bounds aged = {
        .messages_max = 100, .bytes_max = 1 << 20, .age_ms_max = 1000};

    make_slow(&aged);
    push("old", &aged);
    scene.worker.now_ms += 600;
    push("young", &aged);
    scene.worker.now_ms += 600;
    drop_policy_drop_old(&scene.viewer, &scene.worker, &aged);
    cr_assert_eq(counted(&scene.worker, messages_dropped_age), 1);
    send_all(&aged);
    expect_sent("slow|young");
}

static void push_picture(const char *text)
{
    cr_assert(push_class(MESSAGE_JPEG, text, &roomy));
}

Test(drop_policy, of_pictures_only_the_newest_waits_for_a_slow_viewer)
{
    push_picture("begun");
    send_at_most(1, &roomy);
    push_picture("1");
    scene.worker.now_ms += PICTURE_WAIT_MS_MAX;
    push_picture("2");
    scene.worker.now_ms += 10 * PICTURE_WAIT_MS_MAX;
    push_picture("3");
    cr_assert_eq(scene.viewer.queue.count, 2);
    cr_assert_eq(counted(&scene.worker, messages_dropped_latest), 2);
    cr_assert_eq(scene.viewer.lag.dropped[LAG_POLICY_LATEST], 2);
    send_all(&roomy);
    expect_sent("begun|3");
}

Test(drop_policy, loses_no_picture_of_a_viewer_that_is_late_for_a_moment)
{
    push_picture("begun");
    send_at_most(1, &roomy);
    push_picture("1");
    scene.worker.now_ms += PICTURE_WAIT_MS_MAX - 1;
    push_picture("2");
    send_all(&roomy);
    expect_sent("begun|1|2");
    push_picture("1");
    scene.worker.now_ms += PICTURE_WAIT_MS_MAX;
    push_picture("2");
    send_all(&roomy);
    expect_sent("1|2");
}

Test(drop_policy, keeps_the_newest_picture_however_old)
{
    static const struct send_queue_bounds aged = {
        .messages_max = 100, .bytes_max = 1 << 20, .video_age_ms_max = 1000};

    push_class(MESSAGE_JPEG, "1", &aged);
    push_class(MESSAGE_JPEG, "2", &aged);
    push_class(MESSAGE_JPEG, "3", &aged);
    scene.worker.now_ms += 1001;
    send_all(&aged);
    expect_sent("3");
}

Test(drop_policy, of_a_topic_that_is_about_the_latest_nothing_else_waits)
{
    push_class(MESSAGE_LATEST, "begun", &roomy);
    send_at_most(1, &roomy);
    push_class(MESSAGE_LATEST, "1", &roomy);
    push("data", &roomy);
    push_class(MESSAGE_LATEST, "2", &roomy);
    send_all(&roomy);
    expect_sent("begun|data|2");
}

Test(drop_policy, pictures_stay_within_their_bounds)
{
    static const struct send_queue_bounds few = {.messages_max = 3, .bytes_max = 1 << 20};

    push_class(MESSAGE_JPEG, "begun", &few);
    send_at_most(1, &few);
    for (unsigned i = 0; i < 100; i++) {
        push_class(MESSAGE_JPEG, "x", &few);
        cr_assert_leq(scene.viewer.queue.count, 1 + 3);
    }
    scene.viewer.lag.recovery = LAG_RECOVER_NONE;
    push_class(MESSAGE_JPEG, "a", &few);
    push_class(MESSAGE_JPEG, "b", &few);
    push_class(MESSAGE_JPEG, "c", &few);
    scene.worker.now_ms += 10000;
    push_class(MESSAGE_JPEG, "d", &few);
    send_all(&few);
    expect_sent("begun|b|c|d");
}

static unsigned times_told;

static void on_dropped(struct subscriber *subscriber)
{
    cr_assert_eq(subscriber, &scene.viewer);
    times_told++;
}

Test(drop_policy, tells_of_each_loss_of_its_viewer)
{
    static const struct send_queue_bounds one = {
        .messages_max = 1, .bytes_max = 1 << 20, .age_ms_max = 10};

    scene.viewer.on_dropped = on_dropped;
    make_slow(&one);
    push("a", &one);
    cr_assert_eq(times_told, 0);
    push("b", &one);
    cr_assert_eq(times_told, 1);
    scene.worker.now_ms += 11;
    send_all(&one);
    cr_assert_eq(times_told, 2);
    cr_assert_eq(scene.viewer.lag.dropped[LAG_POLICY_DATA], 2);
}

Test(drop_policy, drops_all_that_waits_for_a_goodbye)
{
    struct iovec slices[SEND_SLICES_MAX];

    push("a", &roomy);
    push("b", &roomy);
    push("c", &roomy);
    cr_assert_eq(begin(&roomy, slices, 1), 1);
    push_control(WS_OPCODE_PONG, "p", &roomy);
    push("d", &roomy);
    push("e", &roomy);
    drop_policy_drop_waiting(&scene.viewer.queue, &scene.worker);
    cr_assert_eq(scene.viewer.queue.count, 1);
    push_control(WS_OPCODE_CLOSE, "bye", &roomy);
    cr_assert_eq(send_queue_end(&scene.viewer.queue, &scene.worker, 3), 1);
    send_all(&roomy);
    expect_sent("[bye]");
    drop_policy_drop_waiting(&scene.viewer.queue, &scene.worker);
}

/* The same rules on an array. */
struct model_entry {
    uint32_t id;
    uint32_t bytes;
    uint64_t received_ms;
    bool is_control, is_urgent;
};

enum { MODEL_ENTRIES_MAX = SEND_BURST_MAX + 2 * SEND_SLICES_MAX };

struct model {
    struct send_queue_bounds bounds;
    struct model_entry entries[MODEL_ENTRIES_MAX];
    unsigned count, in_flight;
    uint32_t sent_offset;
    uint64_t dropped_queue, dropped_age;
};

static uint64_t model_bytes(const struct model *model, unsigned from)
{
    uint64_t bytes = 0;

    for (unsigned i = from; i < model->count; i++) {
        bytes += model->entries[i].bytes;
    }
    return bytes;
}

static void model_remove(struct model *model, unsigned index)
{
    memmove(&model->entries[index], &model->entries[index + 1],
            (model->count - index - 1) * sizeof model->entries[0]);
    model->count--;
}

static unsigned model_pinned(const struct model *model)
{
    unsigned begun = model->sent_offset > 0 ? 1 : 0;

    return model->in_flight > begun ? model->in_flight : begun;
}

static unsigned model_oldest(const struct model *model)
{
    unsigned index = model_pinned(model);

    while (index < model->count && model->entries[index].is_control) {
        index++;
    }
    return index;
}

static bool model_push(struct model *model, const struct model_entry *entry)
{
    unsigned pinned = model_pinned(model);
    unsigned waiting_max = pinned > 0 ? model->bounds.messages_max : SEND_BURST_MAX;

    if (entry->is_control && model->count - pinned >= SEND_BURST_MAX + SEND_QUEUE_CONTROL) {
        model->dropped_queue++;
        return false;
    }
    while (!entry->is_control && model_oldest(model) < model->count &&
           (model->count - pinned >= waiting_max ||
            model_bytes(model, pinned) + entry->bytes > model->bounds.bytes_max)) {
        model->dropped_queue++;
        model_remove(model, model_oldest(model));
    }
    unsigned place = model->count;

    if (entry->is_urgent) {
        place = model_pinned(model);
        while (place < model->count && model->entries[place].is_urgent) {
            place++;
        }
    }
    memmove(&model->entries[place + 1], &model->entries[place],
            (model->count - place) * sizeof model->entries[0]);
    model->entries[place] = *entry;
    model->count++;
    return true;
}

static void model_begin(struct model *model, uint64_t now_ms, unsigned slices_max)
{
    uint64_t total = 0;
    unsigned oldest;

    while (model->bounds.age_ms_max > 0 && (oldest = model_oldest(model)) < model->count &&
           model->entries[oldest].received_ms + model->bounds.age_ms_max < now_ms) {
        model_remove(model, oldest);
        model->dropped_age++;
    }
    model->in_flight = 0;
    for (unsigned i = 0; i < model->count && i < slices_max; i++) {
        uint64_t bytes = model->entries[i].bytes - (i == 0 ? model->sent_offset : 0);

        if (i > 0 && total + bytes > SEND_BYTES_MAX) {
            break;
        }
        total += bytes;
        model->in_flight++;
    }
}

static unsigned model_end(struct model *model, size_t len)
{
    unsigned completed = 0;

    model->in_flight = 0;
    while (len > 0) {
        uint32_t left = model->entries[0].bytes - model->sent_offset;

        if (len < left) {
            model->sent_offset += (uint32_t)len;
            break;
        }
        len -= left;
        completed += !model->entries[0].is_control;
        model->sent_offset = 0;
        model_remove(model, 0);
    }
    return completed;
}

static void compare(struct model *model)
{
    struct send_queue *queue = &scene.viewer.queue;

    cr_assert_eq(queue->count, model->count);
    cr_assert_eq(queue->in_flight, model->in_flight);
    cr_assert_eq(queue->sent_offset, model->sent_offset);
    cr_assert_eq(queue->bytes, model_bytes(model, 0));
    cr_assert_eq(counted(&scene.worker, messages_dropped_queue), model->dropped_queue);
    cr_assert_eq(counted(&scene.worker, messages_dropped_age), model->dropped_age);
    cr_assert_eq(scene.worker.blocks.blocks_used,
                 model->count + (queue->entries != queue->inline_entries));
}

static void random_push(struct model *model, uint32_t id)
{
    struct model_entry entry = {
        .id = id, .is_control = rand() % 6 == 0, .received_ms = scene.worker.now_ms};
    entry.is_urgent = entry.is_control && rand() % 2 == 0;
    uint32_t len = entry.is_control   ? 4 + (uint32_t)rand() % 100
                   : rand() % 50 == 0 ? 70000 + (uint32_t)rand() % 200000
                                      : 4 + (uint32_t)rand() % 3000;
    struct message *message = message_create(&scene.worker, len);

    cr_assert_not_null(message);
    memset(message->payload, (int)id, len);
    memcpy(message->payload, &id, sizeof id);
    message->payload_len = len;
    message->class = entry.is_urgent    ? MESSAGE_PING
                     : entry.is_control ? MESSAGE_CLOSE
                                        : MESSAGE_DATA;
    message->received_ms = entry.received_ms;
    message_frame(message, entry.is_control ? WS_OPCODE_PING : WS_OPCODE_BINARY);
    entry.bytes = len + message->header_len;
    cr_assert_eq(push_message(message, &model->bounds), model_push(model, &entry));
}

/* The slices must be the model's entries, from the byte where the last send ended. */
static void random_begin(struct model *model, struct iovec *slices)
{
    unsigned slices_max = rand() % 3 == 0 ? 1 : 1 + (unsigned)rand() % SEND_SLICES_MAX;

    model_begin(model, scene.worker.now_ms, slices_max);
    unsigned count = begin(&model->bounds, slices, slices_max);

    cr_assert_eq(count, model->in_flight);
    for (unsigned i = 0; i < count; i++) {
        const struct model_entry *entry = &model->entries[i];
        uint32_t skipped = i == 0 ? model->sent_offset : 0;
        const uint8_t *end = (const uint8_t *)slices[i].iov_base + slices[i].iov_len;
        uint32_t id;

        cr_assert_eq(slices[i].iov_len, entry->bytes - skipped);
        size_t header_len = entry->bytes > 65535 + 4 ? 10 : entry->bytes > 125 + 2 ? 4 : 2;
        memcpy(&id, end - (entry->bytes - header_len), sizeof id);
        cr_assert_eq(id, entry->id);
    }
}

Test(drop_policy, does_what_a_simple_model_does_under_random_use)
{
    for (unsigned round = 0; round < 40; round++) {
        struct iovec slices[SEND_SLICES_MAX] = {0};
        struct model model = {
            .bounds = {.messages_max = 1 + (uint32_t)rand() % 40,
                       .bytes_max = round % 2 == 0 ? 1 << 24 : 500 + (uint32_t)rand() % 20000,
                       .age_ms_max = round % 3 == 0 ? 0 : 200},
            .dropped_queue = counted(&scene.worker, messages_dropped_queue),
            .dropped_age = counted(&scene.worker, messages_dropped_age)};

        srand(round);
        for (uint32_t step = 0; step < 3000; step++) {
            unsigned action = (unsigned)rand() % 10;

            scene.worker.now_ms += (unsigned)rand() % 20;
            if (action < 6) {
                random_push(&model, step);
            } else if (model.in_flight == 0) {
                random_begin(&model, slices);
            } else {
                size_t total = 0;

                for (unsigned i = 0; i < model.in_flight; i++) {
                    total += slices[i].iov_len;
                }
                size_t len = rand() % 2 == 0 ? total : (size_t)rand() % (total + 1);

                cr_assert_eq(send_queue_end(&scene.viewer.queue, &scene.worker, len),
                             model_end(&model, len));
            }
            compare(&model);
        }
        if (scene.viewer.queue.in_flight > 0) {
            send_queue_end(&scene.viewer.queue, &scene.worker, 0);
        }
        send_queue_clear(&scene.viewer.queue, &scene.worker);
        cr_assert_eq(scene.worker.blocks.blocks_used, 0);
    }
}
