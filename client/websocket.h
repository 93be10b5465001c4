/* WebSocket frames over a transport, by wslay's frame layer: one frame per outgoing message, masked
 * straight from the ring into the outbox; incoming messages assembled whole, text checked as it
 * arrives. wslay's event layer is not used: it splits or copies outgoing messages. Owner thread
 * only; never blocks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wslay/wslay.h>

#include "base/attributes.h"
#include "client/net/fault.h"
#include "client/net/transport.h"
#include "client/relay_client.h"

enum websocket_limits {
    WEBSOCKET_MESSAGE_BYTES_MAX = 10 * 1024 * 1024, /* without an envelope of relay.v1 */
    WEBSOCKET_OUTBOX_SIZE = 16 * 1024,              /* one TLS record */
    WEBSOCKET_INBOX_SIZE = 32 * 1024,
    WEBSOCKET_TURN_BYTES_MAX = 256 * 1024, /* in each direction, before other work gets its turn */
    WEBSOCKET_CONTROL_MAX = 125,
    WEBSOCKET_PONGS_MAX = 16, /* beyond this, only the latest ping is answered (RFC 6455 §5.5.3) */
};

enum websocket_result {
    WEBSOCKET_WAIT,
    WEBSOCKET_MESSAGE, /* *ret_message is valid until the next call */
    WEBSOCKET_PONG,    /* to the latest ping */
    WEBSOCKET_ENDED,   /* the fault has the reason */
};

struct websocket_message {
    enum relay_client_type type;
    const void *data;
    size_t len;
};

struct websocket;

/* NULL: no memory. leftover: bytes after the handshake's response. */
MUST_USE struct websocket *websocket_create(struct bytes leftover);
void websocket_destroy(struct websocket *websocket);

/* Messages have an envelope from now on, beside their WEBSOCKET_MESSAGE_BYTES_MAX. */
void websocket_expect_envelopes(struct websocket *websocket, size_t envelope_len);

/* Call at the start of each turn of the loop: allows WEBSOCKET_TURN_BYTES_MAX more in each
 * direction. */
void websocket_turn(struct websocket *websocket);

/* True when an allowance of the turn is used up: there may be more to receive or to send at
 * once. */
bool websocket_turn_is_over(const struct websocket *websocket);

/* Receives the next event. After WEBSOCKET_ENDED only websocket_send may be called, to send out a
 * Close. */
MUST_USE enum websocket_result websocket_receive(struct websocket *websocket,
                                                 struct transport *transport,
                                                 struct websocket_message *ret_message,
                                                 struct fault *fault);

/* True when the next message can begin. */
bool websocket_takes_message(const struct websocket *websocket);

/* Begins a message; data must stay valid until websocket_flushed reaches the returned end. */
uint64_t websocket_start_message(struct websocket *websocket, enum relay_client_type type,
                                 const void *data, size_t len);

/* Moves as much as possible to the kernel. PROGRESS_DONE: nothing is left; PROGRESS_WAIT: the
 * kernel is full, or the turn is over. Call until it is done and no further message begins. */
MUST_USE enum progress websocket_send(struct websocket *websocket, struct transport *transport,
                                      struct fault *fault);

/* Stream position up to which the kernel has everything. */
uint64_t websocket_flushed(const struct websocket *websocket);

/* True while bytes are waiting for the kernel. */
bool websocket_send_waits(const struct websocket *websocket);

/* Asks for a ping; websocket_ping_sent becomes true when the kernel has it. */
void websocket_ping(struct websocket *websocket);
bool websocket_ping_sent(const struct websocket *websocket);
uint64_t websocket_rtt_ns(const struct websocket *websocket);

/* Sends a Close after the message being sent; no message begins after it. Call once only. */
void websocket_close(struct websocket *websocket, uint16_t code);

/* Refuses a message that the peer sent, as websocket_receive refuses frames: the peer is sent a
 * Close with this code, and the fault of the last websocket_receive has the cause. Call after that
 * returned WEBSOCKET_MESSAGE. */
void websocket_refuse(struct websocket *websocket, uint16_t code, const char *cause);

/* Whether websocket_receive returned WEBSOCKET_ENDED because of what the peer sent, so that its
 * data may still be arriving. */
bool websocket_has_refused(const struct websocket *websocket);
