/* Goal: what a connection has of relay.v1 goes on in another program: an envelope that was cut,
 * heads that are partly sent, what it was told, and who controls the topic. Method: two programs
 * (programs.h), peers that speak relay.v1. */
#include "server/handover/live/live_exchange.h"

#include "server/hub/v1/envelopes.h"
#include "server/hub/v1/lease.h"
#include "tests/unit/server/handover/live/programs.h"

static struct program *const first = &programs[0], *const second = &programs[1];
static struct peer publisher, viewer;
static struct conn *publishing, *viewing;
static struct topic_policies policies;

static struct conn *join_v1(unsigned index, const char *booking_id, bool can_read, bool can_write,
                            struct peer *ret_peer)
{
    return program_join_as(first, index,
                           (struct wish){.topic = "arm",
                                         .booking_id = booking_id,
                                         .fields = "Sec-WebSocket-Protocol: relay.v1\r\n",
                                         .can_read = can_read,
                                         .can_write = can_write},
                           ret_peer);
}

static void settle(struct program *program)
{
    for (unsigned i = 0; i < 20; i++) {
        program_turn(program);
    }
}

/* The clocks of both programs stay one. */
static void pass_ms(uint64_t ms)
{
    program_pass_ms(first, ms);
    program_pass_ms(second, ms);
    settle(first);
    settle(second);
}

static void forget_heard(struct peer *peer)
{
    unsigned opcode;
    struct bytes payload;

    while (peer_next(peer, &opcode, &payload)) {
    }
}

static void open_programs(void)
{
    programs_open(2, 2);
    publishing = join_v1(0, "b1", false, true, &publisher);
    viewing = join_v1(1, "b2", true, false, &viewer);
    pass_ms(200);
    pass_ms(200);
    forget_heard(&publisher);
    forget_heard(&viewer);
}

static void open_exclusive(void)
{
    CHECK(topic_policy_parse("arm=data+exclusive", &policies) == 0);
    programs_open(2, 2);
    first->topics.policies = &policies;
    second->topics.policies = &policies;
    publishing = join_v1(0, "b1", false, true, &publisher);
    viewing = join_v1(1, "b2", true, false, &viewer);
}

static void close_programs(void)
{
    programs_close();
    peer_close(&publisher);
    peer_close(&viewer);
}

TestSuite(live_exchange, .init = open_programs, .fini = close_programs);

/* A frame with a payload behind its envelope. */
static size_t enveloped(uint32_t sequence, const void *payload, size_t len, uint8_t *frame)
{
    uint8_t *bytes = calloc(1, RELAY_V1_ENVELOPE_SIZE + len);
    const struct relay_v1_envelope envelope = {.kind = RELAY_V1_DATA, .sequence = sequence};

    relay_v1_envelope_write(&envelope, bytes);
    memcpy(bytes + RELAY_V1_ENVELOPE_SIZE, payload, len);
    size_t frame_len =
        frame_of(frame, FRAME_FIN | WS_OPCODE_BINARY, bytes, RELAY_V1_ENVELOPE_SIZE + len);

    free(bytes);
    return frame_len;
}

/* Those that are not payloads are passed over. */
static struct bytes next_payload(struct program *program, struct peer *peer, uint32_t sequence)
{
    struct bytes message;
    struct relay_v1_envelope envelope;
    unsigned opcode;

    do {
        program_await(program, peer_next(peer, &opcode, &message));
        cr_assert_eq(opcode, WS_OPCODE_BINARY);
    } while (!relay_v1_is_payload(message.data[0]));
    relay_v1_envelope_read(message.data, &envelope);
    cr_assert_eq(envelope.sequence, sequence);
    cr_assert_neq(envelope.source, 0);
    return bytes_skip(message, RELAY_V1_ENVELOPE_SIZE);
}

static void say(struct peer *peer, uint32_t sequence, const char *text)
{
    uint8_t frame[512];

    peer_send(peer, bytes_of(frame, enveloped(sequence, text, strlen(text), frame)));
}

Test(live_exchange, payloads_go_on)
{
    say(&publisher, 7, "before");
    cr_assert(bytes_equal_text(next_payload(first, &viewer, 7), "before"));
    programs_move(first, second);
    say(&publisher, 8, "after");
    cr_assert(bytes_equal_text(next_payload(second, &viewer, 8), "after"));
}

Test(live_exchange, message_may_be_cut_anywhere)
{
    uint8_t frame[512];
    size_t len = enveloped(1, "payload", 7, frame);

    for (uint32_t cut = 1; cut < len; cut++) {
        struct program *from = &programs[cut % 2 == 1 ? 0 : 1];
        struct program *to = &programs[cut % 2 == 1 ? 1 : 0];

        peer_send(&publisher, bytes_of(frame, cut));
        settle(from);
        programs_move(from, to);
        peer_send(&publisher, bytes_of(frame + cut, len - cut));
        cr_assert(bytes_equal_text(next_payload(to, &viewer, 1), "payload"));
    }
}

Test(live_exchange, control_message_may_be_cut_anywhere)
{
    const struct relay_v1_control control = {.kind = RELAY_V1_CLOCK_REQUEST, .clock.asked = 99};
    uint8_t message[RELAY_V1_FIXED_MAX], frame[128];
    size_t len = frame_of(frame, FRAME_FIN | WS_OPCODE_BINARY, message,
                          relay_v1_control_write(&control, message, sizeof message));
    unsigned answers = 0, opcode;
    struct bytes heard;

    for (uint32_t cut = 1; cut < len; cut++) {
        struct program *from = &programs[cut % 2 == 1 ? 0 : 1];
        struct program *to = &programs[cut % 2 == 1 ? 1 : 0];

        peer_send(&viewer, bytes_of(frame, cut));
        settle(from);
        programs_move(from, to);
        peer_send(&viewer, bytes_of(frame + cut, len - cut));
        settle(to);
    }
    while (peer_next(&viewer, &opcode, &heard)) {
        answers += heard.data[0] == RELAY_V1_CLOCK_ANSWER;
    }
    cr_assert_eq(answers, len - 1);
}

/* Its kind is one that is not known, as tokens need keys. */
Test(live_exchange, long_control_message_that_was_cut_goes_on_arriving)
{
    uint8_t token[RELAY_V1_TOKEN_MAX + 8] = {0x7f}, frame[RELAY_V1_TOKEN_MAX + 64];
    size_t len = frame_of(frame, FRAME_FIN | WS_OPCODE_BINARY, token, RELAY_V1_CONTROL_MAX);

    peer_send(&viewer, bytes_of(frame, 5000));
    settle(first);
    const struct phase_websocket *ws = phase_websocket_of(viewing);

    cr_assert_not_null(ws->message);
    cr_assert(ws->message->is_secret);
    programs_move(first, second);
    ws = phase_websocket_of(program_newest(second, 1));
    cr_assert(ws->message->is_secret);
    peer_send(&viewer, bytes_of(frame + 5000, len - 5000));
    program_await(second, program_counted(second, 1, v1_controls) +
                                  program_counted(second, 1, v1_controls_ignored) ==
                              1);
}

/* One head is partly sent, others are of records that wait. */
static void expect_queue_goes_on(void)
{
    enum { COUNT = 6 };
    size_t len = 4 << 20;
    uint8_t *payload = malloc(len), *frame = malloc(len + 64), *records = malloc(2 * len);

    for (unsigned i = 0; i < COUNT; i++) {
        memset(payload, (int)('a' + i), len);
        struct bytes rest = bytes_of(frame, enveloped(i, payload, len, frame));

        if (publisher.records != NULL) {
            rest = bytes_of(records, peer_seal(&publisher, rest, records));
        }
        while (rest.len > 0) {
            ssize_t sent = send(publisher.fd, rest.data, rest.len, MSG_NOSIGNAL | MSG_DONTWAIT);

            rest = bytes_skip(rest, sent > 0 ? (size_t)sent : 0);
            program_turn(first);
        }
    }
    program_await(first, phase_websocket_of(publishing)->messages_received == COUNT);
    settle(first);
    cr_assert_gt(viewing->subscriber.queue.count, 1);
    programs_move(first, second);
    settle(second);
    programs_move(second, first);
    for (unsigned i = 0; i < COUNT; i++) {
        memset(payload, (int)('a' + i), len);
        cr_assert(bytes_equal(next_payload(first, &viewer, i), bytes_of(payload, len)));
    }
    free(payload);
    free(frame);
    free(records);
}

Test(live_exchange, queue_goes_on_at_the_byte)
{
    expect_queue_goes_on();
}

Test(live_exchange, queue_goes_on_at_the_byte_of_a_record)
{
    settle(first);
    peer_secure(&publisher, publishing, TLS_AES_128_GCM);
    peer_secure(&viewer, viewing, TLS_AES_128_GCM);
    expect_queue_goes_on();
}

/* Not even while its connections come one after the other. */
Test(live_exchange, nothing_is_told_that_was_told_before)
{
    unsigned opcode;
    struct bytes payload;

    say(&publisher, 1, "it publishes");
    next_payload(first, &viewer, 1);
    pass_ms(200);
    pass_ms(200);
    forget_heard(&publisher);
    forget_heard(&viewer);
    programs_move(first, second);
    for (unsigned i = 0; i < 10; i++) {
        pass_ms(100);
    }
    cr_assert_not(peer_next(&publisher, &opcode, &payload));
    cr_assert_not(peer_next(&viewer, &opcode, &payload));
}

Test(live_exchange, news_are_told_in_the_other_program)
{
    unsigned opcode;
    struct bytes payload;

    programs_move(first, second);
    for (unsigned i = 0; i < 5; i++) {
        pass_ms(100);
    }
    viewing = program_newest(second, 1);
    conn_close_now(viewing, CLOSE_BY_PEER);
    for (unsigned i = 0; i < 5; i++) {
        pass_ms(100);
    }
    cr_assert(peer_next(&publisher, &opcode, &payload));
    cr_assert_eq(payload.data[0], RELAY_V1_VIEWERS);
    cr_assert_eq(payload.data[payload.len - 1], 0);
}

Test(live_exchange, latencies_are_those_of_before)
{
    struct exchange *exchange = phase_websocket_of(viewing)->exchange;

    latency_add(&exchange->deliver, 5000);
    latency_add(&viewing->subscriber.queue.envelopes->latency, 70);
    struct latency relay = viewing->subscriber.queue.envelopes->latency;

    programs_move(first, second);
    const struct conn *moved = program_newest(second, 1);

    cr_assert_eq(exchange_latency(moved, LATENCY_DELIVER)->count, 1);
    cr_assert_eq(latency_percentile_us(exchange_latency(moved, LATENCY_RELAY), 50),
                 latency_percentile_us(&relay, 50));
    cr_assert_eq(exchange_latency(moved, LATENCY_DECODE)->count, 0);
}

Test(live_exchange, control_of_the_topic_stays_with_its_booking, .init = open_exclusive)
{
    struct peer other;
    struct conn *refused = join_v1(0, "b3", false, true, &other);

    say(&publisher, 1, "mine");
    cr_assert(bytes_equal_text(next_payload(first, &viewer, 1), "mine"));
    say(&other, 1, "not mine");
    program_await(first, phase_websocket_of(refused)->claim.refused == 1);
    programs_move(first, second);
    refused = program_newest(second, 0);
    cr_assert_str_eq(phase_websocket_of(refused)->identity.booking_id, "b3");
    cr_assert_eq(phase_websocket_of(refused)->claim.refused, 1);
    say(&other, 2, "still not mine");
    program_await(second, phase_websocket_of(refused)->claim.refused == 2);
    say(&publisher, 2, "still mine");
    cr_assert(bytes_equal_text(next_payload(second, &viewer, 2), "still mine"));
    peer_close(&other);
}

Test(live_exchange, wish_for_control_waits_in_the_other_program, .init = open_exclusive)
{
    struct peer other;
    struct conn *wishing = join_v1(1, "b3", false, true, &other);
    struct phase_websocket *ws = phase_websocket_of(wishing);

    say(&publisher, 1, "mine");
    next_payload(first, &viewer, 1);
    cr_assert(lease_request(ws->topic->lease, &ws->claim, first->workers[1].now_ms));
    programs_move(first, second);
    ws = phase_websocket_of(program_newest(second, 1));
    cr_assert_eq(lease_state(ws->topic->lease, &ws->claim), RELAY_V1_LEASE_TAKEN);
    conn_close_now(program_newest(second, 0), CLOSE_BY_PEER);
    cr_assert_eq(lease_state(ws->topic->lease, &ws->claim), RELAY_V1_LEASE_YOURS);
    peer_close(&other);
}
