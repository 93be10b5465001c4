/* A connection that speaks relay.v1 (docs/protocol.md): it takes the envelope off what the client
 * publishes, and acts on its control messages. Memory of its own, not that of messages, as long as
 * the connection is in its phase. Owner worker only; never blocks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "server/hub/v1/audience.h"
#include "server/hub/v1/latency.h"
#include "wire/subprotocol/relay_v1.h"

struct conn;
struct message;

enum exchange_limits {
    EXCHANGE_REPORT_MS = 100,  /* between two reports of a viewer that are looked at */
    EXCHANGE_REFUSED_MS = 100, /* between two notices of refused messages */
};

struct exchange {
    struct member member;
    struct latency publish, deliver, decode;
    uint64_t reported_ms, token_ms, refused_ms; /* when the last one came; 0: none did */
    uint8_t head[RELAY_V1_ENVELOPE_SIZE];       /* of the message that is being read */
    uint8_t head_len;
};

/* Gives the connection, which is about to enter its phase, envelopes if it is a viewer. NULL:
 * there is no memory. */
MUST_USE struct exchange *exchange_create(struct conn *conn, bool can_read);
void exchange_destroy(struct exchange *exchange);

/* It has joined its topic, and is told how things stand; or leaves it. */
void exchange_join(struct conn *conn);
void exchange_leave(struct conn *conn);

/* The same for one that another program had, and that is held: what it was told is known there. */
void exchange_return(struct conn *conn);
/* It is held no longer. */
void exchange_resume(struct exchange *exchange);

/* One of its messages was refused: another booking has control. */
void exchange_say_refused(struct conn *conn);

/* A message begins. */
void exchange_begin_message(struct exchange *exchange);

/* Some of the bytes are missing that an envelope has, or would have. */
bool exchange_wants_head(const struct exchange *exchange);

/* Takes them, unmasking. Returns their number. */
size_t exchange_take_head(struct exchange *exchange, struct bytes bytes, const uint8_t mask[4],
                          uint64_t offset);

/* All of the envelope was taken, and a payload follows. */
bool exchange_has_envelope(const struct exchange *exchange);

/* The first byte says that it is a control message, of which none was taken yet if there is none.
 */
bool exchange_is_control(const struct exchange *exchange);

/* The publisher's own words about the payload that follows. */
bool exchange_says_text(const struct exchange *exchange);
void exchange_stamp(struct exchange *exchange, struct message *message);

/* Latencies of a hop of the connection; NULL: it does not speak relay.v1, or has no such hop. */
const struct latency *exchange_latency(const struct conn *conn, enum latency_hop hop);

/* A control message is here whole: its head, then body. */
void exchange_on_control(struct conn *conn, struct bytes body);
