#include "client/websocket.h"

#include <errno.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "wire/utf8_stream.h"
#include "wire/ws_frame.h"

enum { MESSAGE_KEEP_BYTES = 1024 * 1024, PING_SIZE = 8, FRAME_HEAD_MAX = 14 };

/* Result of the receive callback; wslay itself only reports "want read". */
enum input_state { INPUT_READY, INPUT_WAIT, INPUT_END, INPUT_FAILED };

struct control {
    uint8_t data[WEBSOCKET_CONTROL_MAX];
    size_t len;
};

struct websocket {
    wslay_frame_context_ptr frames;

    /* Outgoing. */
    uint8_t outbox[WEBSOCKET_OUTBOX_SIZE];
    size_t outbox_start, outbox_end;
    size_t turn_sent_bytes;
    uint64_t encoded, flushed;
    struct wslay_frame_iocb frame; /* the data frame being encoded */
    bool frame_begun;              /* true exactly while part of it is not encoded */
    bool ping_wanted, close_wanted, closing;
    bool refused; /* the Close says what is wrong with the peer's data */
    struct control pongs[WEBSOCKET_PONGS_MAX]; /* to be sent, the oldest first */
    size_t pongs_count;
    uint16_t close_code;
    uint64_t ping_number, ping_sent_ns, ping_end, rtt_ns;

    /* Incoming. */
    uint8_t inbox[WEBSOCKET_INBOX_SIZE];
    size_t inbox_start, inbox_end;
    size_t turn_received_bytes;
    enum input_state input;
    struct transport *transport; /* during websocket_receive only */
    struct fault *fault;
    bool frame_open; /* true exactly between the header and the end of an incoming frame */
    uint64_t frame_left;
    struct control control;
    uint8_t *message;
    size_t message_len, message_size, message_len_max;
    uint8_t message_opcode;  /* 0: none in progress */
    struct utf8_stream text; /* of it, while it is text */
    bool message_delivered;
};

static ssize_t on_encode(const uint8_t *data, size_t len, int flags, void *context)
{
    struct websocket *websocket = context;
    size_t room = sizeof websocket->outbox - websocket->outbox_end;

    if (room == 0) {
        return -1;
    }
    len = len < room ? len : room;
    memcpy(websocket->outbox + websocket->outbox_end, data, len);
    websocket->outbox_end += len;
    websocket->encoded += len;
    return (ssize_t)len;
}

static bool inbox_fill(struct websocket *websocket)
{
    if (websocket->turn_received_bytes >= WEBSOCKET_TURN_BYTES_MAX) {
        websocket->input = INPUT_WAIT;
        return false;
    }
    ssize_t got = transport_read(websocket->transport, websocket->inbox, sizeof websocket->inbox,
                                 websocket->fault);

    if (got > 0) {
        websocket->inbox_start = 0;
        websocket->inbox_end = (size_t)got;
        websocket->turn_received_bytes += (size_t)got;
        return true;
    }
    websocket->input = got == 0 ? INPUT_END : got == -EAGAIN ? INPUT_WAIT : INPUT_FAILED;
    return false;
}

static ssize_t on_decode(uint8_t *data, size_t len, int flags, void *context)
{
    struct websocket *websocket = context;

    if (websocket->inbox_start == websocket->inbox_end && !inbox_fill(websocket)) {
        return -1;
    }
    size_t available = websocket->inbox_end - websocket->inbox_start;

    len = len < available ? len : available;
    memcpy(data, websocket->inbox + websocket->inbox_start, len);
    websocket->inbox_start += len;
    return (ssize_t)len;
}

static int on_mask_wanted(uint8_t *data, size_t len, void *context)
{
    random_bytes(data, len);
    return 0;
}

struct websocket *websocket_create(struct bytes leftover)
{
    static const struct wslay_frame_callbacks callbacks = {
        .send_callback = on_encode,
        .recv_callback = on_decode,
        .genmask_callback = on_mask_wanted,
    };
    struct websocket *websocket = calloc(1, sizeof *websocket);

    if (websocket == NULL) {
        return NULL;
    }
    CHECK(leftover.len <= sizeof websocket->inbox);
    if (wslay_frame_context_init(&websocket->frames, &callbacks, websocket) != 0) {
        free(websocket);
        return NULL;
    }
    websocket->message_len_max = WEBSOCKET_MESSAGE_BYTES_MAX;
    if (leftover.len > 0) {
        memcpy(websocket->inbox, leftover.data, leftover.len);
        websocket->inbox_end = leftover.len;
    }
    return websocket;
}

void websocket_destroy(struct websocket *websocket)
{
    if (websocket == NULL) {
        return;
    }
    wslay_frame_context_free(websocket->frames);
    bytes_wipe(websocket->outbox, sizeof websocket->outbox); /* a token may have been sent */
    free(websocket->message);
    free(websocket);
}

void websocket_expect_envelopes(struct websocket *websocket, size_t envelope_len)
{
    websocket->message_len_max = WEBSOCKET_MESSAGE_BYTES_MAX + envelope_len;
}

void websocket_turn(struct websocket *websocket)
{
    websocket->turn_received_bytes = 0;
    websocket->turn_sent_bytes = 0;
}

bool websocket_turn_is_over(const struct websocket *websocket)
{
    return websocket->turn_received_bytes >= WEBSOCKET_TURN_BYTES_MAX ||
           websocket->turn_sent_bytes >= WEBSOCKET_TURN_BYTES_MAX;
}

/* Sending. */

static void encode_control(struct websocket *websocket, uint8_t opcode, const void *data,
                           size_t len)
{
    struct wslay_frame_iocb frame = {.fin = 1,
                                     .opcode = opcode,
                                     .payload_length = len,
                                     .mask = 1,
                                     .data = data,
                                     .data_length = len};
    ssize_t encoded = wslay_frame_send(websocket->frames, &frame);

    CHECK(encoded == (ssize_t)len); /* the caller made sure that it fits */
}

static void encode_close(struct websocket *websocket)
{
    uint8_t payload[2] = {(uint8_t)(websocket->close_code >> 8), (uint8_t)websocket->close_code};
    bool empty = websocket->close_code == WS_CLOSE_NO_STATUS;

    encode_control(websocket, WSLAY_CONNECTION_CLOSE, payload, empty ? 0 : sizeof payload);
    websocket->close_wanted = false;
    websocket->closing = true;
}

static void encode_ping(struct websocket *websocket)
{
    uint8_t payload[PING_SIZE];

    websocket->ping_number++;
    memcpy(payload, &websocket->ping_number, sizeof payload);
    encode_control(websocket, WSLAY_PING, payload, sizeof payload);
    websocket->ping_end = websocket->encoded;
    websocket->ping_sent_ns = clock_monotonic_ns();
    websocket->ping_wanted = false;
}

static bool control_fits(const struct websocket *websocket)
{
    return sizeof websocket->outbox - websocket->outbox_end >=
           WEBSOCKET_CONTROL_MAX + FRAME_HEAD_MAX;
}

static void encode_pongs(struct websocket *websocket)
{
    size_t sent = 0;

    while (sent < websocket->pongs_count && control_fits(websocket)) {
        const struct control *pong = &websocket->pongs[sent++];

        encode_control(websocket, WSLAY_PONG, pong->data, pong->len);
    }
    websocket->pongs_count -= sent;
    memmove(websocket->pongs, websocket->pongs + sent,
            websocket->pongs_count * sizeof websocket->pongs[0]);
}

/* Control frames go only between data frames, and nothing follows a Close. */
static void encode_controls(struct websocket *websocket)
{
    if (websocket->frame_begun || websocket->closing) {
        return;
    }
    encode_pongs(websocket);
    if (websocket->ping_wanted && control_fits(websocket)) {
        encode_ping(websocket);
    }
    if (websocket->close_wanted && control_fits(websocket)) {
        encode_close(websocket);
    }
}

static void encode_data(struct websocket *websocket)
{
    struct wslay_frame_iocb *frame = &websocket->frame;

    while (websocket->frame_begun) {
        ssize_t encoded = wslay_frame_send(websocket->frames, frame);

        if (encoded == WSLAY_ERR_WANT_WRITE) {
            return;
        }
        CHECK(encoded >= 0);
        frame->data += encoded;
        frame->data_length -= (size_t)encoded;
        websocket->frame_begun = frame->data_length > 0;
    }
}

bool websocket_takes_message(const struct websocket *websocket)
{
    return !websocket->frame_begun && !websocket->closing && !websocket->close_wanted &&
           websocket->outbox_end < sizeof websocket->outbox;
}

static size_t frame_head_len(size_t payload_len)
{
    return 6 + (payload_len < 126 ? 0 : payload_len <= UINT16_MAX ? 2 : 8);
}

uint64_t websocket_start_message(struct websocket *websocket, enum relay_client_type type,
                                 const void *data, size_t len)
{
    CHECK(websocket_takes_message(websocket));
    encode_controls(websocket); /* a pong is sent before answers to data after its ping */
    uint64_t end = websocket->encoded + frame_head_len(len) + len;

    websocket->frame = (struct wslay_frame_iocb){.fin = 1,
                                                 .opcode = (uint8_t)type,
                                                 .payload_length = len,
                                                 .mask = 1,
                                                 .data = data,
                                                 .data_length = len};
    websocket->frame_begun = true;
    encode_data(websocket);
    encode_controls(websocket);
    return end;
}

static enum progress outbox_flush(struct websocket *websocket, struct transport *transport,
                                  struct fault *fault)
{
    while (websocket->outbox_start < websocket->outbox_end) {
        if (websocket->turn_sent_bytes >= WEBSOCKET_TURN_BYTES_MAX) {
            return PROGRESS_WAIT;
        }
        ssize_t sent = transport_write(transport, websocket->outbox + websocket->outbox_start,
                                       websocket->outbox_end - websocket->outbox_start, fault);

        if (sent < 0) {
            return sent == -EAGAIN ? PROGRESS_WAIT : PROGRESS_FAILED;
        }
        websocket->outbox_start += (size_t)sent;
        websocket->flushed += (uint64_t)sent;
        websocket->turn_sent_bytes += (size_t)sent;
    }
    websocket->outbox_start = 0;
    websocket->outbox_end = 0;
    return PROGRESS_DONE;
}

enum progress websocket_send(struct websocket *websocket, struct transport *transport,
                             struct fault *fault)
{
    enum progress progress;

    do {
        encode_data(websocket);
        encode_controls(websocket);
        progress = outbox_flush(websocket, transport, fault);
    } while (progress == PROGRESS_DONE && websocket_send_waits(websocket));
    return progress;
}

uint64_t websocket_flushed(const struct websocket *websocket)
{
    return websocket->flushed;
}

bool websocket_send_waits(const struct websocket *websocket)
{
    bool control = !websocket->closing && (websocket->ping_wanted || websocket->pongs_count > 0 ||
                                           websocket->close_wanted);

    return websocket->outbox_start < websocket->outbox_end || websocket->frame_begun || control;
}

void websocket_ping(struct websocket *websocket)
{
    websocket->ping_wanted = !websocket->closing;
}

bool websocket_ping_sent(const struct websocket *websocket)
{
    return !websocket->ping_wanted && websocket->flushed >= websocket->ping_end;
}

uint64_t websocket_rtt_ns(const struct websocket *websocket)
{
    return websocket->rtt_ns;
}

void websocket_close(struct websocket *websocket, uint16_t code)
{
    if (!websocket->closing && !websocket->close_wanted) {
        websocket->close_wanted = true;
        websocket->close_code = code;
    }
}

bool websocket_has_refused(const struct websocket *websocket)
{
    return websocket->refused;
}

/* Receiving. */

static enum websocket_result refuse(struct websocket *websocket, uint16_t code, const char *cause)
{
    websocket_close(websocket, code);
    websocket->refused = true;
    fault_set(websocket->fault, RELAY_CLIENT_FAULT_CLOSED, "closed with %u: %s", code, cause);
    return WEBSOCKET_ENDED;
}

void websocket_refuse(struct websocket *websocket, uint16_t code, const char *cause)
{
    (void)refuse(websocket, code, cause);
}

static bool is_data(uint8_t opcode)
{
    return opcode == WSLAY_TEXT_FRAME || opcode == WSLAY_BINARY_FRAME;
}

/* NULL: the header is valid (RFC 6455 §5.1, §5.2, §5.4, §5.5). */
static const char *header_fault(const struct websocket *websocket,
                                const struct wslay_frame_iocb *frame)
{
    bool in_message = websocket->message_opcode != 0;

    if (frame->mask) {
        return "the server sent a masked frame";
    }
    if (frame->rsv != 0) {
        return "the server used an extension that was not negotiated";
    }
    if (wslay_is_ctrl_frame(frame->opcode)) {
        bool known = frame->opcode <= WSLAY_PONG;

        return known && frame->fin && frame->payload_length <= WEBSOCKET_CONTROL_MAX
                   ? NULL
                   : "the server sent a bad control frame";
    }
    if (frame->opcode == WSLAY_CONTINUATION_FRAME) {
        return in_message ? NULL : "the server continued a message that never began";
    }
    if (!is_data(frame->opcode)) {
        return "the server sent a frame of unknown type";
    }
    return in_message ? "the server began a message inside another" : NULL;
}

static bool message_reserve(struct websocket *websocket, size_t len)
{
    size_t size = websocket->message_len + len;

    if (size <= websocket->message_size) {
        return true;
    }
    uint8_t *message = realloc(websocket->message, size);

    if (message == NULL) {
        return false;
    }
    websocket->message = message;
    websocket->message_size = size;
    return true;
}

static enum websocket_result frame_open(struct websocket *websocket,
                                        const struct wslay_frame_iocb *frame)
{
    const char *cause = header_fault(websocket, frame);

    if (cause != NULL) {
        return refuse(websocket, WS_CLOSE_PROTOCOL_ERROR, cause);
    }
    websocket->frame_open = true;
    websocket->frame_left = frame->payload_length;
    if (wslay_is_ctrl_frame(frame->opcode)) {
        websocket->control.len = 0;
        return WEBSOCKET_WAIT;
    }
    if (frame->payload_length > websocket->message_len_max - websocket->message_len) {
        return refuse(websocket, WS_CLOSE_TOO_BIG, "a message is larger than 10 MiB");
    }
    if (!message_reserve(websocket, (size_t)frame->payload_length)) {
        return refuse(websocket, WS_CLOSE_TOO_BIG, "no memory for a message");
    }
    if (frame->opcode != WSLAY_CONTINUATION_FRAME) {
        websocket->message_opcode = frame->opcode;
        utf8_stream_init(&websocket->text);
    }
    return WEBSOCKET_WAIT;
}

/* False: text that is not UTF-8. */
static bool data_append(struct websocket *websocket, struct bytes more)
{
    CHECK(websocket->message != NULL); /* its first frame allocated room */
    memcpy(websocket->message + websocket->message_len, more.data, more.len);
    websocket->message_len += more.len;
    return websocket->message_opcode != WSLAY_TEXT_FRAME ||
           utf8_stream_take(&websocket->text, more);
}

static bool frame_append(struct websocket *websocket, const struct wslay_frame_iocb *frame)
{
    CHECK(frame->data_length <= websocket->frame_left);
    websocket->frame_left -= frame->data_length;
    if (frame->data_length == 0) {
        return true;
    }
    if (!wslay_is_ctrl_frame(frame->opcode)) {
        return data_append(websocket, bytes_of(frame->data, frame->data_length));
    }
    memcpy(websocket->control.data + websocket->control.len, frame->data, frame->data_length);
    websocket->control.len += frame->data_length;
    return true;
}

static const char *close_meaning(unsigned code)
{
    static const struct {
        unsigned code;
        const char *meaning;
    } meanings[] = {
        {1000, "normal"},          {1001, "going away"},        {1002, "protocol error"},
        {1007, "invalid text"},    {1005, "no reason given"},   {1008, "policy"},
        {1009, "message too big"}, {1011, "server error"},      {1013, "try again later"},
        {4401, "token expired"},   {4403, "booking cancelled"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(meanings); i++) {
        if (meanings[i].code == code) {
            return meanings[i].meaning;
        }
    }
    return "unknown reason";
}

static enum websocket_result close_refused(struct websocket *websocket, enum ws_close_result result)
{
    struct bytes payload = bytes_of(websocket->control.data, websocket->control.len);
    char text[WS_CLOSE_REASON_MAX + 1], cause[sizeof text + 32];

    ws_frame_close_error_text(result, payload, text, sizeof text);
    snprintf(cause, sizeof cause, "the server sent a bad Close: %s", text);
    return refuse(websocket, WS_CLOSE_PROTOCOL_ERROR, cause);
}

static enum websocket_result close_received(struct websocket *websocket)
{
    struct bytes payload = bytes_of(websocket->control.data, websocket->control.len);
    struct bytes reason = bytes_skip(payload, 2);
    uint16_t code;
    enum ws_close_result result = ws_frame_close_parse(payload, &code);

    if (result != WS_CLOSE_OK) {
        return close_refused(websocket, result);
    }
    websocket_close(websocket, code);
    websocket->fault->close_code = code;
    fault_set(websocket->fault, RELAY_CLIENT_FAULT_CLOSED, "closed by the relay with %u (%s)%s%.*s",
              code, close_meaning(code), reason.len > 0 ? ": " : "", (int)reason.len,
              (const char *)reason.data);
    return WEBSOCKET_ENDED;
}

static void pong_want(struct websocket *websocket, const struct control *ping)
{
    if (websocket->pongs_count < WEBSOCKET_PONGS_MAX) {
        websocket->pongs_count++;
    }
    websocket->pongs[websocket->pongs_count - 1] = *ping;
}

static enum websocket_result control_received(struct websocket *websocket, uint8_t opcode)
{
    const struct control *control = &websocket->control;

    if (opcode == WSLAY_CONNECTION_CLOSE) {
        return close_received(websocket);
    }
    if (opcode == WSLAY_PING) {
        pong_want(websocket, control);
        return WEBSOCKET_WAIT;
    }
    if (control->len == PING_SIZE &&
        memcmp(control->data, &websocket->ping_number, PING_SIZE) == 0) {
        websocket->rtt_ns = clock_monotonic_ns() - websocket->ping_sent_ns;
        return WEBSOCKET_PONG;
    }
    return WEBSOCKET_WAIT;
}

static enum websocket_result text_refused(struct websocket *websocket)
{
    return refuse(websocket, WS_CLOSE_INVALID_TEXT, "the server sent text that is not UTF-8");
}

static enum websocket_result frame_end(struct websocket *websocket,
                                       const struct wslay_frame_iocb *frame,
                                       struct websocket_message *ret_message)
{
    websocket->frame_open = false;
    if (wslay_is_ctrl_frame(frame->opcode)) {
        return control_received(websocket, frame->opcode);
    }
    if (!frame->fin) {
        return WEBSOCKET_WAIT;
    }
    if (websocket->message_opcode == WSLAY_TEXT_FRAME && !utf8_stream_is_whole(&websocket->text)) {
        return text_refused(websocket);
    }
    *ret_message = (struct websocket_message){.type = websocket->message_opcode,
                                              .data = websocket->message,
                                              .len = websocket->message_len};
    websocket->message_delivered = true;
    return WEBSOCKET_MESSAGE;
}

static void message_reset(struct websocket *websocket)
{
    websocket->message_delivered = false;
    websocket->message_opcode = 0;
    websocket->message_len = 0;
    if (websocket->message_size > MESSAGE_KEEP_BYTES) {
        free(websocket->message);
        websocket->message = NULL;
        websocket->message_size = 0;
    }
}

static enum websocket_result on_chunk(struct websocket *websocket,
                                      const struct wslay_frame_iocb *frame,
                                      struct websocket_message *ret_message)
{
    if (!websocket->frame_open && frame_open(websocket, frame) == WEBSOCKET_ENDED) {
        return WEBSOCKET_ENDED;
    }
    if (!frame_append(websocket, frame)) {
        return text_refused(websocket);
    }
    return websocket->frame_left > 0 ? WEBSOCKET_WAIT : frame_end(websocket, frame, ret_message);
}

/* The reason why wslay has no message. WEBSOCKET_WAIT with INPUT_READY: call it again. */
static enum websocket_result input_result(struct websocket *websocket)
{
    switch (websocket->input) {
    case INPUT_READY:
    case INPUT_WAIT:
        return WEBSOCKET_WAIT;
    case INPUT_END:
        fault_set(websocket->fault, RELAY_CLIENT_FAULT_CLOSED,
                  "the connection ended without a Close");
        return WEBSOCKET_ENDED;
    case INPUT_FAILED:
        websocket->fault->kind = RELAY_CLIENT_FAULT_CLOSED;
        return WEBSOCKET_ENDED;
    }
    UNREACHABLE();
}

static enum websocket_result receive_step(struct websocket *websocket,
                                          struct websocket_message *ret_message)
{
    struct wslay_frame_iocb frame;

    websocket->input = INPUT_READY;
    ssize_t got = wslay_frame_recv(websocket->frames, &frame);

    if (got >= 0) {
        return on_chunk(websocket, &frame, ret_message);
    }
    if (got == WSLAY_ERR_WANT_READ) {
        return input_result(websocket);
    }
    return refuse(websocket, WS_CLOSE_PROTOCOL_ERROR, "the server sent a malformed frame");
}

enum websocket_result websocket_receive(struct websocket *websocket, struct transport *transport,
                                        struct websocket_message *ret_message, struct fault *fault)
{
    enum websocket_result result;

    websocket->transport = transport;
    websocket->fault = fault;
    if (websocket->message_delivered) {
        message_reset(websocket);
    }
    do {
        result = receive_step(websocket, ret_message);
    } while (result == WEBSOCKET_WAIT && websocket->input == INPUT_READY);
    return result;
}
