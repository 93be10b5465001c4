/* Goal: envelopes are taken off what clients publish, and their control messages are answered or
 * ignored; whatever a client says, its connection goes on or is closed with a reason.
 * Method: bytes of peers through a fake kernel (speech.h). */
#include "server/websocket/v1/exchange.h"

#include "tests/unit/server/websocket/speech.h"

static struct conn *plain;

static void open_v1(void)
{
    service_open();
    plain = join("t0", true, false);
    viewer = join_v1("t0", true, false);
    conn = join_v1("t0", false, true);
}

TestSuite(exchange, .init = open_v1, .fini = service_close);

static void add_payload(unsigned first, uint8_t flags, uint32_t sequence, const char *text)
{
    uint8_t message[RELAY_V1_ENVELOPE_SIZE + 256];
    const struct relay_v1_envelope envelope = {
        .kind = RELAY_V1_DATA, .flags = flags, .sequence = sequence, .sent_us = 99};

    struct bytes payload = bytes_of_text(text);

    relay_v1_envelope_write(&envelope, message);
    memcpy(message + RELAY_V1_ENVELOPE_SIZE, payload.data, payload.len);
    add_frame(first, message, RELAY_V1_ENVELOPE_SIZE + payload.len);
}

static void say_control(const struct relay_v1_control *control)
{
    uint8_t message[RELAY_V1_FIXED_MAX];

    add_frame(FIN | WS_OPCODE_BINARY, message,
              relay_v1_control_write(control, message, sizeof message));
    say_speech(RECV_BUFFER_BYTES);
}

Test(exchange, plain_viewers_get_the_payload_and_others_its_envelope)
{
    add_payload(FIN | WS_OPCODE_BINARY, 0, 4, "");
    say_speech(RECV_BUFFER_BYTES);
    sent_by(plain);
    stage_pass_ms(1000); /* the viewer is told that the stream has begun */
    sent_by(viewer);
    for (size_t piece = 1; piece < 60; piece++) {
        add_payload(FIN | WS_OPCODE_BINARY, RELAY_V1_TEXT, 5, "text");
        add_payload(FIN | WS_OPCODE_BINARY, 0, 6, "");
        say_speech(piece);
        struct relay_v1_envelope envelope;
        struct bytes sent = sent_by(plain);

        cr_assert_eq(sent.len, 8);
        cr_assert_arr_eq(sent.data, "\x81\x04text\x82\x00", 8);
        sent = sent_by(viewer);

        cr_assert_eq(sent.len, 2 * (2 + RELAY_V1_ENVELOPE_SIZE) + 4);
        relay_v1_envelope_read(sent.data + 2, &envelope);
        cr_assert_eq(envelope.sequence, 5);
        cr_assert_eq(envelope.flags, RELAY_V1_TEXT);
        cr_assert_eq(envelope.sent_us, 99);
        cr_assert_gt(envelope.received_us, 1000000);
        cr_assert_eq(envelope.source, phase_websocket_of(conn)->source);
    }
    cr_assert_eq(stage_counted(bytes_received), 59 * 4);
}

Test(exchange, a_clock_request_is_answered)
{
    const struct relay_v1_control request = {.kind = RELAY_V1_CLOCK_REQUEST,
                                             .clock = {.asked = 1234}};
    struct relay_v1_control answer;

    say_control(&request);
    struct bytes sent = sent_by(conn);

    cr_assert_eq(sent.data[0], FIN | WS_OPCODE_BINARY);
    cr_assert_eq(relay_v1_control_read(bytes_skip(sent, 2), &answer), RELAY_V1_OK);
    cr_assert_eq(answer.kind, RELAY_V1_CLOCK_ANSWER);
    cr_assert_eq(answer.clock.asked, 1234);
    cr_assert_gt(answer.clock.arrived_us, 1000000);
    cr_assert_leq(answer.clock.arrived_us, answer.clock.answered_us);
    cr_assert_eq(stage_counted(v1_controls), 1);
}

Test(exchange, what_it_does_not_know_is_ignored)
{
    uint8_t message[100] = {0};

    for (unsigned kind = RELAY_V1_PAYLOAD_MAX + 1; kind <= UINT8_MAX; kind++) {
        message[0] = (uint8_t)kind;
        add_frame(FIN | WS_OPCODE_BINARY, message, 1);
        say_speech(RECV_BUFFER_BYTES);
    }
    cr_assert_eq(sent_by(conn).len, 0);
    cr_assert_eq(stage_counted(v1_controls), 0);
    cr_assert_eq(stage_counted(v1_controls_ignored), UINT8_MAX - RELAY_V1_PAYLOAD_MAX);
    add_payload(FIN | WS_OPCODE_BINARY, 0, 1, "still here");
    say_speech(RECV_BUFFER_BYTES);
    cr_assert_eq(sent_by(plain).len, 12);
}

Test(exchange, text_frames_and_cut_envelopes_close)
{
    say_frame(FIN | WS_OPCODE_TEXT, "text");
    expect_close(conn, 1002, "relay.v1: messages are binary");
    say_end(conn);
    kernel_finish_close();
    conn = join_v1("t0", false, true);
    say_frame(FIN | WS_OPCODE_BINARY, "");
    expect_close(conn, 1002, "relay.v1: message shorter than its envelope");
    say_end(conn);
    kernel_finish_close();
    conn = join_v1("t0", false, true);
    static const uint8_t cut[RELAY_V1_ENVELOPE_SIZE - 1];

    add_frame(FIN | WS_OPCODE_BINARY, cut, sizeof cut);
    say_speech(RECV_BUFFER_BYTES);
    expect_close(conn, 1002, "relay.v1: message shorter than its envelope");
}

Test(exchange, a_control_message_has_a_bound_however_it_is_cut)
{
    static uint8_t message[RELAY_V1_CONTROL_MAX + 1] = {UINT8_MAX};

    add_frame(FIN | WS_OPCODE_BINARY, message, RELAY_V1_CONTROL_MAX);
    say_speech(1000);
    cr_assert_eq(conn->phase, PHASE_WEBSOCKET);
    sent_by(conn);
    add_frame(WS_OPCODE_BINARY, message, 1);
    add_frame(FIN | WS_OPCODE_CONTINUATION, message + 1, RELAY_V1_CONTROL_MAX);
    say_in_pieces(conn, bytes_of(speech.bytes, 50), 50);
    speech.len = 0;
    expect_close(conn, 1009, "");
}

Test(exchange, one_that_may_not_publish_may_ask)
{
    const struct relay_v1_control request = {.kind = RELAY_V1_CLOCK_REQUEST};
    struct conn *publisher = conn;

    conn = viewer;
    say_control(&request);
    cr_assert_eq(sent_by(conn).len, 2 + 28);
    add_payload(FIN | WS_OPCODE_BINARY, 0, 1, "from a viewer");
    say_speech(RECV_BUFFER_BYTES);
    cr_assert_eq(sent_by(plain).len, 0);
    cr_assert_eq(stage_counted(messages_discarded_readonly), 1);
    conn = publisher;
}
