/* The talk of a client with the relay over relay.v1: control messages both ways, and the envelopes
 * of the other ones (docs/protocol.md). Part of an open connection; client thread only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "client/client.h"
#include "client/v1/clock_exchange.h"
#include "client/v1/renewal.h"
#include "client/websocket.h"
#include "wire/subprotocol/relay_v1.h"

enum conversation_times {
    CONVERSATION_CLOCK_FIRST_S = 1, /* between the first few exchanges */
    CONVERSATION_CLOCK_FIRST_COUNT = 4,
    CONVERSATION_CLOCK_S = 10, /* and between later ones */
    CONVERSATION_REPORT_S = 1,
};

struct conversation {
    bool spoken; /* the relay answered the offer; the rest is of use only then */
    uint32_t sequence;
    struct clock_exchange clock;
    unsigned clock_requests;
    uint64_t clock_due_us, report_due_us; /* by our clock */
    struct renewal renewal;
    uint8_t said[RELAY_V1_CONTROL_MAX]; /* the last control message; may hold a token */
};

/* Our clock, for the functions below: CLOCK_MONOTONIC in microseconds. */
uint64_t conversation_clock_us(void);

/* A new connection. The token of its access request has been noted before. */
void conversation_begin(struct conversation *conversation, struct relay_client *client, bool spoken,
                        uint64_t now_us);

/* Wipes the secrets. Harmless at any time. */
void conversation_end(struct conversation *conversation);

/* Writes the envelope of the next message, which the application sent at sent_ns. */
void conversation_stamp(struct conversation *conversation, bool is_text, uint64_t sent_ns,
                        uint8_t envelope[static RELAY_V1_ENVELOPE_SIZE]);

enum conversation_heard {
    CONVERSATION_PAYLOAD, /* *message is without its envelope now */
    CONVERSATION_CONTROL, /* it was carried out */
    CONVERSATION_BROKEN,  /* *ret_cause: no relay says that */
};

struct conversation_payload {
    struct relay_client_stamps stamps;
    bool gap;      /* messages in front of it were left out for us */
    bool catch_up; /* older than the connection, which begins with it */
};

/* A whole message of the relay; it came at arrived_us. Takes the client's mutex, and calls back. */
MUST_USE enum conversation_heard
conversation_hear(struct conversation *conversation, struct relay_client *client,
                  struct websocket_message *message, uint64_t arrived_us,
                  struct conversation_payload *ret_payload, const char **ret_cause);

/* The next control message that is due, valid until the next call; empty: none. */
struct bytes conversation_say(struct conversation *conversation, struct relay_client *client,
                              uint64_t now_us);

/* How long until one may be due that nothing else wakes us for. */
uint64_t conversation_wait_ms(const struct conversation *conversation, uint64_t now_us);
