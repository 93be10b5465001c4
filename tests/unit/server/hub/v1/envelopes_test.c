/* Goal: a viewer that asked gets an envelope in front of each payload and nothing else changes: the
 * payload is the shared one, frames stay whole wherever a send ends, control frames have none.
 * Method: a queue whose kernel takes as many bytes as the test says; what was sent is read again.
 */
#include "server/hub/v1/envelopes.h"

#include <stdlib.h>

#include "server/hub/drop_policy.h"
#include "server/hub/message_part.h"
#include "server/hub/topic.h"

#include "tests/unit/server/hub/send_queue_fixture.h"

static const struct send_queue_bounds roomy = {.messages_max = 256, .bytes_max = 1 << 20};

static void open_enveloped(void)
{
    open_scene();
    scene.worker.now_ms = 5000;
    struct envelopes *envelopes = malloc(sizeof *envelopes);

    CHECK(envelopes != NULL);
    envelopes_init(envelopes, &scene.worker);
    scene.viewer.queue.envelopes = envelopes;
}

static void close_enveloped(void)
{
    send_queue_clear(&scene.viewer.queue, &scene.worker);
    close_scene();
}

TestSuite(envelopes, .init = open_enveloped, .fini = close_enveloped);

static void push(struct message *message)
{
    cr_assert(drop_policy_push(&scene.viewer, &scene.worker, &roomy, &message->home_share));
    message_release(&scene.worker, message);
}

static struct message *message_numbered(uint32_t number, enum ws_opcode opcode, const char *text)
{
    struct message *message = message_of_text(&scene.worker, opcode, text);

    message->sequence = number;
    message->source = 7;
    message->sent_us = 11;
    message->received_us = 22;
    message->received_ms = scene.worker.now_ms;
    return message;
}

/* Takes the next frame off what was sent. */
static struct bytes next_frame(size_t *at)
{
    uint8_t len = scene.sent[*at + 1];
    size_t header = len < 126 ? 2 : 4;
    size_t payload_len = len < 126 ? len : (size_t)scene.sent[*at + 2] << 8 | scene.sent[*at + 3];
    struct bytes payload = bytes_of(scene.sent + *at + header, payload_len);

    cr_assert_eq(scene.sent[*at], 0x80 | WS_OPCODE_BINARY);
    cr_assert_neq(len, 127);
    *at += header + payload_len;
    cr_assert_leq(*at, scene.sent_len, "a frame was cut");
    return payload;
}

static struct relay_v1_envelope envelope_of(struct bytes payload)
{
    struct relay_v1_envelope envelope;

    cr_assert_geq(payload.len, RELAY_V1_ENVELOPE_SIZE);
    relay_v1_envelope_read(payload.data, &envelope);
    return envelope;
}

static const struct {
    enum ws_opcode opcode;
    const char *text;
} messages[] = {
    {WS_OPCODE_BINARY, "one"},
    {WS_OPCODE_TEXT, "two"},
    {WS_OPCODE_BINARY, ""},
    {WS_OPCODE_TEXT,
     "a longer one: with its envelope the header of its frame has another length than without. "
     "a longer one: with its envelope the header of its frame has another length than without."},
};

static void expect_messages(unsigned rounds)
{
    size_t at = 0;

    for (unsigned i = 0; i < rounds * ARRAY_LENGTH(messages); i++) {
        size_t which = i % ARRAY_LENGTH(messages);
        struct bytes payload = next_frame(&at);
        struct relay_v1_envelope envelope = envelope_of(payload);

        cr_assert_eq(envelope.kind, RELAY_V1_DATA);
        cr_assert_eq(envelope.flags, messages[which].opcode == WS_OPCODE_TEXT ? RELAY_V1_TEXT : 0);
        cr_assert_eq(envelope.source, 7);
        cr_assert_eq(envelope.sequence, i);
        cr_assert_eq(envelope.sent_us, 11);
        cr_assert_eq(envelope.received_us, 22);
        cr_assert_gt(envelope.forwarded_us, 1000000);
        cr_assert(
            bytes_equal_text(bytes_skip(payload, RELAY_V1_ENVELOPE_SIZE), messages[which].text));
    }
    cr_assert_eq(at, scene.sent_len);
    scene.sent_len = 0;
}

Test(envelopes, stand_in_front_of_each_payload_wherever_sends_end)
{
    enum { ROUNDS = 15 }; /* more messages than one send has envelopes for */

    for (size_t len = 1; len < 700; len += len < 80 ? 1 : 37) {
        unsigned completed = 0;

        for (unsigned i = 0; i < ROUNDS * ARRAY_LENGTH(messages); i++) {
            push(message_numbered(i, messages[i % ARRAY_LENGTH(messages)].opcode,
                                  messages[i % ARRAY_LENGTH(messages)].text));
        }
        while (!send_queue_empty(&scene.viewer.queue)) {
            completed += take_at_most(len);
        }
        cr_assert_eq(completed, ROUNDS * ARRAY_LENGTH(messages), "%zu", len);
        expect_messages(ROUNDS);
    }
}

Test(envelopes, payloads_are_the_shared_ones)
{
    struct message *message = message_numbered(0, WS_OPCODE_BINARY, "shared");
    struct iovec slices[SEND_SLICES_MAX];

    push(message);
    cr_assert_eq(send_queue_slices(&scene.viewer.queue), 2);
    cr_assert_eq(send_queue_begin(&scene.viewer.queue, &scene.worker, slices, 2), 2);
    cr_assert_eq(slices[0].iov_len, 2 + RELAY_V1_ENVELOPE_SIZE);
    cr_assert_eq(slices[1].iov_base, (void *)message->payload);
    send_queue_end(&scene.viewer.queue, &scene.worker, 0);
}

Test(envelopes, frames_of_the_relays_own_have_none)
{
    push(message_numbered(0, WS_OPCODE_BINARY, "data"));
    push(message_create_control(&scene.worker, WS_OPCODE_PING, bytes_of_text("ping")));
    push(message_create_notice(&scene.worker, MESSAGE_NOTICE, bytes_of_text("\x40...")));
    while (!send_queue_empty(&scene.viewer.queue)) {
        take_at_most(3);
    }
    cr_assert_eq(memcmp(scene.sent, "\x89\x04ping\x82\x04\x40...", 12), 0);
    size_t at = 12;

    cr_assert_eq(envelope_of(next_frame(&at)).kind, RELAY_V1_DATA);
    cr_assert_eq(at, scene.sent_len);
}

Test(envelopes, one_that_came_before_any_viewer_asked_has_its_age)
{
    struct message *message = message_numbered(0, WS_OPCODE_BINARY, "old");
    size_t at = 0;

    message->received_us = 0;
    push(message);
    scene.worker.now_ms += 3000;
    take_at_most(1000);
    struct relay_v1_envelope envelope = envelope_of(next_frame(&at));

    cr_assert_eq(envelope.forwarded_us - envelope.received_us, 3000 * 1000);
}

/* The classes of pictures, and where a stream begins behind its splice. */
Test(envelopes, say_what_the_payload_is)
{
    static const struct {
        enum message_class class;
        enum relay_v1_kind kind;
    } cases[] = {
        {MESSAGE_DATA, RELAY_V1_DATA},
        {MESSAGE_STREAM, RELAY_V1_STREAM},
        {MESSAGE_KEY, RELAY_V1_KEY},
        {MESSAGE_DEPENDENT, RELAY_V1_DEPENDENT},
        {MESSAGE_DISPOSABLE, RELAY_V1_DISPOSABLE},
        {MESSAGE_JPEG, RELAY_V1_JPEG},
        {MESSAGE_LATEST, RELAY_V1_LATEST},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct message *message = message_numbered(0, WS_OPCODE_BINARY, "picture");
        size_t at = 0;

        message->class = cases[i].class;
        push(message);
        take_at_most(1000);
        cr_assert_eq(envelope_of(next_frame(&at)).kind, cases[i].kind, "%zu", i);
        scene.sent_len = 0;
    }
}

static struct topic_registry topics;

Test(envelopes, a_part_is_told_and_its_splice_is_payload)
{
    struct message *message = message_numbered(0, WS_OPCODE_BINARY, "oldKEYold");
    size_t at = 0;

    topic_registry_init(&topics, 1);
    struct topic *topic = topic_find_or_create(&topics, "t");

    message->class = MESSAGE_KEY;
    message_charge(&scene.worker, message, topic);
    cr_assert(message_part_start_at(&scene.worker, message, 3, bytes_of_text("splice"), 6));
    cr_assert(send_queue_insert(&scene.viewer.queue, &scene.worker, 0,
                                (struct send_entry){.share = &message->home_share,
                                                    .part = MESSAGE_START,
                                                    .is_catch_up = true}));
    cr_assert(send_queue_insert(
        &scene.viewer.queue, &scene.worker, 1,
        (struct send_entry){.share = &message->home_share, .part = MESSAGE_STOP}));
    message_release(&scene.worker, message);
    while (!send_queue_empty(&scene.viewer.queue)) {
        take_at_most(7);
    }
    struct bytes start = next_frame(&at);
    struct bytes stop = next_frame(&at);

    cr_assert_eq(envelope_of(start).flags, RELAY_V1_GAP | RELAY_V1_CATCH_UP);
    cr_assert(bytes_equal_text(bytes_skip(start, RELAY_V1_ENVELOPE_SIZE), "spliceKEYold"));
    cr_assert_eq(envelope_of(stop).flags, 0);
    cr_assert(bytes_equal_text(bytes_skip(stop, RELAY_V1_ENVELOPE_SIZE), "oldKEY"));
    topic_unref(topic);
    topic_registry_deinit(&topics);
}
