/* Goal: what the relay says over relay.v1 is understood, carried out and told, and what is said to
 * it has the shape and the rhythm of docs/protocol.md. Method: a client without a network; the test
 * writes the relay's messages and reads ours. */
#include "client/v1/conversation.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"

enum { S = 1000000, OFFSET = 77 * S };

static struct relay_client *client;
static struct conversation conversation;
static struct relay_client_notice notices[8];
static unsigned notices_count;
static struct conversation_payload payload;
static const char *cause;

static void on_notice(const struct relay_client_notice *notice, void *context)
{
    cr_assert_lt(notices_count, 8);
    notices[notices_count++] = *notice;
}

static void start(void)
{
    struct relay_client_options options = {.location = "http://127.0.0.1/session/t",
                                           .token = "eyJ.first.token",
                                           .relay_v1 = true,
                                           .queue_while_disconnected = true,
                                           .hold_age_max_ms = 1000};
    struct relay_client_callbacks callbacks = {.on_notice = on_notice};
    char error[RELAY_CLIENT_ERROR_SIZE];

    client = relay_client_create(&options, &callbacks, error);
    cr_assert_not_null(client, "%s", error);
    client->state = RELAY_CLIENT_CONNECTED; /* messages are accepted */
    conversation_begin(&conversation, client, true, 0);
}

static void stop(void)
{
    conversation_end(&conversation);
    relay_client_destroy(client);
}

TestSuite(conversation, .init = start, .fini = stop);

static enum conversation_heard hear_bytes(const void *data, size_t len, uint64_t now_us)
{
    struct websocket_message message = {.type = RELAY_CLIENT_BINARY, .data = data, .len = len};

    return conversation_hear(&conversation, client, &message, now_us, &payload, &cause);
}

static void hear(struct relay_v1_control control, uint64_t now_us)
{
    uint8_t buf[RELAY_V1_CONTROL_MAX];
    size_t len = relay_v1_control_write(&control, buf, sizeof buf);

    cr_assert_eq(hear_bytes(buf, len, now_us), CONVERSATION_CONTROL);
}

/* The next control message of ours; kind 0: none. */
static struct relay_v1_control say(uint64_t now_us)
{
    struct relay_v1_control control = {.kind = RELAY_V1_DATA};
    struct bytes said = conversation_say(&conversation, client, now_us);

    if (said.len > 0) {
        cr_assert_eq(relay_v1_control_read(said, &control), RELAY_V1_OK);
    }
    return control;
}

static void skip_clock(uint64_t now_us)
{
    cr_assert_eq(say(now_us).kind, RELAY_V1_CLOCK_REQUEST);
}

static void answer_clock(uint64_t asked_us)
{
    hear((struct relay_v1_control){.kind = RELAY_V1_CLOCK_ANSWER,
                                   .clock = {.asked = asked_us,
                                             .arrived_us = asked_us + OFFSET + 100,
                                             .answered_us = asked_us + OFFSET + 100}},
         asked_us + 200);
}

Test(conversation, asks_for_the_clock_at_once_and_then_now_and_then)
{
    static const uint64_t at_s[] = {0, 1, 2, 3, 13, 23};

    for (size_t i = 0; i < ARRAY_LENGTH(at_s); i++) {
        uint64_t now_us = at_s[i] * S;

        if (i > 0) {
            cr_expect_eq(say(now_us - 1).kind, RELAY_V1_DATA, "at %zu", i);
        }
        struct relay_v1_control said = say(now_us);

        cr_expect_eq(said.kind, RELAY_V1_CLOCK_REQUEST, "at %zu", i);
        cr_expect_eq(said.clock.asked, now_us);
        cr_expect_eq(conversation_wait_ms(&conversation, now_us), (i < 3 ? 1000 : 10000) + 1,
                     "at %zu", i);
    }
}

Test(conversation, says_nothing_to_a_relay_that_does_not_speak_it)
{
    relay_client_request_keyframe(client);
    conversation_begin(&conversation, client, false, 0);
    cr_expect_eq(conversation_say(&conversation, client, 100 * (uint64_t)S).len, 0);
    cr_expect_eq(conversation_wait_ms(&conversation, 0), UINT64_MAX);
    cr_expect_eq(client->wishes, 0);
    cr_expect(client->hold.watched, "it tells of no viewers");
}

Test(conversation, stamps_messages_with_the_relays_time_once_it_is_known)
{
    uint8_t buf[RELAY_V1_ENVELOPE_SIZE];
    struct relay_v1_envelope envelope;

    conversation_stamp(&conversation, true, UINT64_C(5000) * 1000, buf);
    relay_v1_envelope_read(buf, &envelope);
    cr_expect_eq(envelope.sequence, 0);
    cr_expect_eq(envelope.flags, RELAY_V1_TEXT);
    cr_expect_eq(envelope.sent_us, 0);
    answer_clock(1000);
    conversation_stamp(&conversation, false, UINT64_C(5000) * 1000, buf);
    relay_v1_envelope_read(buf, &envelope);
    cr_expect_eq(envelope.sequence, 1);
    cr_expect_eq(envelope.flags, 0);
    cr_expect_eq(envelope.sent_us, 5000 + OFFSET);
    struct relay_client_statistics statistics;

    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.round_trip_ns, 200000);
}

Test(conversation, opens_envelopes)
{
    const struct relay_v1_envelope envelope = {.kind = RELAY_V1_KEY,
                                               .flags = RELAY_V1_GAP | RELAY_V1_TEXT,
                                               .source = 7,
                                               .sequence = 300,
                                               .sent_us = 1,
                                               .received_us = 2,
                                               .forwarded_us = 3};
    uint8_t buf[RELAY_V1_ENVELOPE_SIZE + 4];
    struct websocket_message message = {
        .type = RELAY_CLIENT_BINARY, .data = buf, .len = sizeof buf};

    answer_clock(1000);
    relay_v1_envelope_write(&envelope, buf);
    memcpy(buf + RELAY_V1_ENVELOPE_SIZE, "line", 4);
    cr_assert_eq(conversation_hear(&conversation, client, &message, 9000, &payload, &cause),
                 CONVERSATION_PAYLOAD);
    cr_expect_eq(message.type, RELAY_CLIENT_TEXT);
    cr_expect_eq(message.len, 4);
    cr_expect_arr_eq(message.data, "line", 4);
    cr_expect(payload.gap && !payload.catch_up);
    cr_expect_eq(payload.stamps.source, 7);
    cr_expect_eq(payload.stamps.sequence, 300);
    cr_expect_eq(payload.stamps.relayed_us, 2);
    cr_expect_eq(payload.stamps.arrived_us, 9000 + OFFSET);
}

Test(conversation, refuses_what_no_relay_says)
{
    uint8_t text[RELAY_V1_ENVELOPE_SIZE + 1] = {RELAY_V1_DATA, RELAY_V1_TEXT};
    struct websocket_message plain = {.type = RELAY_CLIENT_TEXT, .data = "a", .len = 1};

    text[RELAY_V1_ENVELOPE_SIZE] = 0xff;
    cr_expect_eq(hear_bytes(text, sizeof text, 0), CONVERSATION_BROKEN);
    cr_expect_not_null(strstr(cause, "UTF-8"));
    cr_expect_eq(hear_bytes(text, RELAY_V1_ENVELOPE_SIZE - 1, 0), CONVERSATION_BROKEN);
    cr_expect_eq(hear_bytes(text, 0, 0), CONVERSATION_BROKEN);
    cr_expect_eq(conversation_hear(&conversation, client, &plain, 0, &payload, &cause),
                 CONVERSATION_BROKEN);
}

Test(conversation, ignores_what_it_does_not_know)
{
    static const uint8_t later[] = {0x7f, 0, 0, 0}, cut[] = {RELAY_V1_VIEWERS, 0, 0};

    cr_expect_eq(hear_bytes(later, sizeof later, 0), CONVERSATION_CONTROL);
    cr_expect_eq(hear_bytes(cut, sizeof cut, 0), CONVERSATION_CONTROL);
    hear((struct relay_v1_control){.kind = RELAY_V1_CLOCK_REQUEST}, 0);
    hear((struct relay_v1_control){.kind = RELAY_V1_LEASE,
                                   .lease = {.state = RELAY_V1_LEASE_REQUEST}},
         0);
    cr_expect_eq(notices_count, 0);
}

static int send_on_demand(const char *text, unsigned flags)
{
    return relay_client_send(client, RELAY_CLIENT_BINARY, text, strlen(text),
                             RELAY_CLIENT_ON_DEMAND | flags);
}

static void hear_viewers(uint32_t viewers)
{
    hear((struct relay_v1_control){.kind = RELAY_V1_VIEWERS, .viewers = viewers}, 0);
}

Test(conversation, sends_on_demand_until_the_relay_says_that_nobody_watches)
{
    struct relay_client_statistics statistics;

    for (int connection = 0; connection < 2; connection++) {
        conversation_begin(&conversation, client, true, 0);
        cr_assert_eq(send_on_demand("key", RELAY_CLIENT_RANDOM_ACCESS), 0);
        relay_client_statistics(client, &statistics);
        cr_expect_eq(statistics.queue_messages, 1 + connection, "with what was held");
        hear_viewers(0);
        relay_client_statistics(client, &statistics);
        cr_expect_eq(statistics.queue_messages, 0);
        cr_expect_eq(statistics.held_messages, 1, "the newest");
    }
}

Test(conversation, loses_nothing_at_a_reconnect_while_somebody_watches)
{
    struct relay_client_statistics statistics;

    relay_client_set_queue(client, RELAY_CLIENT_DROP_NONE, 100, 0, true);
    hear_viewers(1);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(send_on_demand("key", RELAY_CLIENT_RANDOM_ACCESS), 0);
        cr_assert_eq(send_on_demand("and more of it", 0), 0);
    }
    conversation_end(&conversation);
    conversation_begin(&conversation, client, true, 0);
    hear_viewers(1);
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.queue_messages, 8);
    cr_expect_eq(statistics.messages_dropped, 0);
}

Test(conversation, begins_to_send_with_the_first_viewer)
{
    struct relay_client_statistics statistics;

    hear_viewers(0);
    notices_count = 0;
    cr_assert_eq(send_on_demand("old", RELAY_CLIENT_RANDOM_ACCESS), 0);
    cr_assert_eq(send_on_demand("key", RELAY_CLIENT_RANDOM_ACCESS), 0);
    cr_assert_eq(send_on_demand("more", 0), 0);
    cr_assert_eq(relay_client_send(client, RELAY_CLIENT_TEXT, "data", 4, 0), 0);
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.viewers, 0);
    cr_expect_eq(statistics.queue_messages, 1, "the data");
    cr_expect_eq(statistics.held_messages, 2);
    cr_expect_eq(statistics.drops_unwatched, 1);
    hear_viewers(2);
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.viewers, 2);
    cr_expect_eq(statistics.queue_messages, 3);
    cr_expect_eq(statistics.held_messages, 0);
    cr_expect_eq(notices[0].kind, RELAY_CLIENT_NOTICE_VIEWERS);
    cr_expect_eq(notices[0].viewers, 2);
    cr_expect_not(client->keyframe_wanted, "there was one");
    relay_client_flush(client);
    hear_viewers(0);
    cr_assert_eq(send_on_demand("unseen", 0), 0);
    hear_viewers(1);
    cr_expect(client->keyframe_wanted);
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.queue_messages, 0);
}

Test(conversation, asks_for_a_key_picture_when_what_was_held_finds_no_room)
{
    struct relay_client_statistics statistics;

    relay_client_set_queue(client, RELAY_CLIENT_DROP_NONE, 20, 0, true);
    hear_viewers(0);
    cr_assert_eq(send_on_demand("key", RELAY_CLIENT_RANDOM_ACCESS), 0);
    cr_assert_eq(send_on_demand("more", 0), 0);
    cr_assert_eq(send_on_demand("yes", 0), 0);
    cr_assert_eq(relay_client_send(client, RELAY_CLIENT_TEXT, "data, data, d", 13, 0), 0);
    hear_viewers(1);
    cr_expect(client->keyframe_wanted);
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.queue_messages, 3);
    cr_expect_eq(statistics.drops_overflow, 1);
    client->keyframe_wanted = false;
    hear_viewers(0);
    relay_client_flush(client);
    cr_assert_eq(relay_client_send(client, RELAY_CLIENT_TEXT, "data, data, data", 16, 0), 0);
    cr_assert_eq(send_on_demand("key", RELAY_CLIENT_RANDOM_ACCESS), 0);
    cr_assert_eq(send_on_demand("more", 0), 0);
    cr_assert_eq(send_on_demand("mo", 0), 0);
    hear_viewers(1);
    cr_expect(client->keyframe_wanted);
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.queue_messages, 2, "nothing behind the gap");
    cr_expect_eq(statistics.drops_overflow, 2);
    cr_expect_eq(statistics.drops_unwatched, 3, "two by the flush");
    cr_assert_eq(send_on_demand("m", 0), 0);
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.queue_messages, 2, "until a key picture comes");
}

Test(conversation, drops_what_was_held_when_messages_are_no_longer_on_demand)
{
    struct relay_client_statistics statistics;

    hear_viewers(0);
    cr_assert_eq(send_on_demand("key", RELAY_CLIENT_RANDOM_ACCESS), 0);
    relay_client_drop_held(client);
    cr_expect(client->keyframe_wanted);
    cr_assert_eq(relay_client_send(client, RELAY_CLIENT_BINARY, "newer", 5, 0), 0);
    hear_viewers(1);
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.queue_messages, 1);
    cr_expect_eq(statistics.drops_unwatched, 1);
}

Test(conversation, asks_again_for_a_key_picture_while_it_waits)
{
    hear_viewers(0);
    hear_viewers(1);
    client->keyframe_wanted = false;
    cr_assert_eq(send_on_demand("more", 0), 0);
    cr_expect_not(client->keyframe_wanted);
    client->hold.asked_ns -= HOLD_ASK_S * UINT64_C(1000000000);
    cr_assert_eq(send_on_demand("more", 0), 0);
    cr_expect(client->keyframe_wanted);
}

Test(conversation, holds_what_waited_for_the_connection)
{
    struct relay_client_statistics statistics;

    conversation_begin(&conversation, client, false, 0);
    cr_assert_eq(send_on_demand("key", RELAY_CLIENT_RANDOM_ACCESS), 0);
    cr_assert_eq(relay_client_send(client, RELAY_CLIENT_TEXT, "data", 4, 0), 0);
    cr_assert_eq(send_on_demand("more", 0), 0);
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.queue_messages, 3);
    conversation_begin(&conversation, client, true, 0);
    hear_viewers(0);
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.queue_messages, 1);
    cr_expect_eq(statistics.held_messages, 2);
}

Test(conversation, tells_what_it_hears)
{
    hear((struct relay_v1_control){.kind = RELAY_V1_LIVE,
                                   .live = {.is_live = true, .publishers = 3}},
         0);
    cr_expect_eq(notices[0].kind, RELAY_CLIENT_NOTICE_STREAM);
    cr_expect(notices[0].is_live);
    cr_expect_eq(notices[0].publishers, 3);
    hear(
        (struct relay_v1_control){
            .kind = RELAY_V1_LEASE,
            .lease = {.state = RELAY_V1_LEASE_REFUSED, .refused = 4, .idle_ms = 5}},
        0);
    cr_expect_eq(notices[1].kind, RELAY_CLIENT_NOTICE_LEASE);
    cr_expect_eq(notices[1].lease, RELAY_CLIENT_LEASE_REFUSED);
    cr_expect_eq(notices[1].lease_refused, 4);
    cr_expect_eq(notices[1].lease_idle_ms, 5);
    cr_expect_not(client->keyframe_wanted);
    hear((struct relay_v1_control){.kind = RELAY_V1_KEY_PICTURE, .key_reason = RELAY_V1_KEY_JOINED},
         0);
    cr_expect(client->keyframe_wanted);
}

Test(conversation, says_what_the_application_wants)
{
    skip_clock(0);
    relay_client_request_keyframe(client);
    relay_client_request_lease(client);
    cr_expect_eq(say(1).lease.state, RELAY_V1_LEASE_REQUEST);
    cr_expect_eq(say(1).key_reason, RELAY_V1_KEY_ASKED);
    relay_client_give_lease(client);
    cr_expect_eq(say(1).lease.state, RELAY_V1_LEASE_GIVE);
    cr_expect_eq(say(1).kind, RELAY_V1_DATA);
}

Test(conversation, says_only_the_last_that_is_wanted_of_a_lease)
{
    skip_clock(0);
    relay_client_give_lease(client);
    relay_client_request_lease(client);
    cr_expect_eq(say(1).lease.state, RELAY_V1_LEASE_REQUEST);
    cr_expect_eq(say(1).kind, RELAY_V1_DATA);
    relay_client_request_lease(client);
    relay_client_give_lease(client);
    conversation_begin(&conversation, client, true, 0);
    skip_clock(0);
    cr_expect_eq(say(1).kind, RELAY_V1_DATA, "it was given back before it was had");
}

Test(conversation, reports_once_a_second_and_the_latest)
{
    struct relay_client_report report = {
        .stamps = {.sent_us = 1, .forwarded_us = 2, .arrived_us = 3}, .queued = 4, .dropped = 5};

    skip_clock(0);
    answer_clock(0);
    relay_client_report(client, &report);
    cr_expect_eq(say(1).report.queued, 4);
    report.queued = 6;
    relay_client_report(client, &report);
    cr_expect_eq(say(S - 1).kind, RELAY_V1_DATA);
    report.queued = 7;
    report.used_ns = UINT64_C(9000) * 1000;
    relay_client_report(client, &report);
    skip_clock(S + 1);
    struct relay_v1_control said = say(S + 1);

    cr_expect_eq(said.kind, RELAY_V1_REPORT);
    cr_expect_eq(said.report.queued, 7);
    cr_expect_eq(said.report.dropped, 5);
    cr_expect_eq(said.report.arrived_us, 3);
    cr_expect_eq(said.report.shown_us, 9000 + OFFSET);
    cr_expect_eq(said.report.round_trip_us, 200);
}

static void hear_expiry(enum relay_v1_expiry_result result, uint64_t in_s)
{
    hear((struct relay_v1_control){.kind = RELAY_V1_EXPIRY,
                                   .expiry = {.result = result,
                                              .expires_s = clock_wall_ns() / 1000000000u + in_s}},
         0);
}

Test(conversation, offers_another_token_and_never_the_same)
{
    renewal_note_token(&conversation.renewal, "eyJ.first.token");
    skip_clock(0);
    hear_expiry(RELAY_V1_EXPIRY_NOTICE, 3600);
    cr_expect_eq(notices[0].kind, RELAY_CLIENT_NOTICE_EXPIRY);
    cr_expect_eq(notices[0].renewal, RELAY_CLIENT_RENEWAL_NONE);
    cr_expect_eq(say(1).kind, RELAY_V1_DATA, "it is far from its end");
    cr_assert_eq(relay_client_set_token(client, "eyJ.first.token"), 0);
    cr_expect_eq(say(2).kind, RELAY_V1_DATA, "the relay has it");
    cr_assert_eq(relay_client_set_token(client, "eyJ.second.token"), 0);
    struct relay_v1_control said = say(3);

    cr_expect_eq(said.kind, RELAY_V1_TOKEN);
    cr_expect(bytes_equal_text(said.token, "eyJ.second.token"));
    hear_expiry(RELAY_V1_EXPIRY_RENEWED, 7200);
    cr_expect_eq(notices[1].renewal, RELAY_CLIENT_RENEWAL_DONE);
    cr_expect_eq(say(4).kind, RELAY_V1_DATA);
}

Test(conversation, offers_again_what_the_relay_did_not_look_at)
{
    skip_clock(0);
    hear_expiry(RELAY_V1_EXPIRY_NOTICE, 3600);
    cr_assert_eq(relay_client_set_token(client, "eyJ.second.token"), 0);
    cr_assert_eq(say(1).kind, RELAY_V1_TOKEN);
    cr_assert_eq(relay_client_set_token(client, "eyJ.second.token"), 0);
    cr_expect_eq(say(2).kind, RELAY_V1_DATA, "it was offered");
    hear_expiry(RELAY_V1_EXPIRY_TOO_OFTEN, 3600);
    cr_assert_eq(relay_client_set_token(client, "eyJ.second.token"), 0);
    cr_expect_eq(say(3).kind, RELAY_V1_TOKEN);
}

Test(conversation, looks_for_a_token_before_the_end)
{
    renewal_note_token(&conversation.renewal, "eyJ.zeroth.token");
    skip_clock(0);
    hear_expiry(RELAY_V1_EXPIRY_NOTICE, 0);
    cr_expect_eq(say(1).kind, RELAY_V1_TOKEN);
}

Test(conversation, wipes_its_secrets)
{
    static const uint8_t zeros[64];

    renewal_note_token(&conversation.renewal, "eyJ.zeroth.token");
    skip_clock(0);
    hear_expiry(RELAY_V1_EXPIRY_NOTICE, 0);
    cr_assert_eq(say(1).kind, RELAY_V1_TOKEN);
    conversation_end(&conversation);
    cr_expect_arr_eq(conversation.said, zeros, sizeof zeros);
    cr_expect_null(conversation.renewal.token);
}
