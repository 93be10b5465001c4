/* The envelopes of relay.v1 in front of what one viewer is sent, which asked for them. Each is made
 * when its message is given to the kernel, in memory of the viewer's own: a frame's header and
 * envelope. The payload behind it is the shared one. A head stays where it is while the send is in
 * flight, and while its frame is partly sent. Owner worker only. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "server/hub/v1/latency.h"
#include "wire/subprotocol/relay_v1.h"
#include "wire/ws_frame.h"

struct send_entry;
struct worker;

enum envelopes_limits {
    ENVELOPES_MAX = 16, /* messages of one send */
    ENVELOPE_HEAD_MAX = WS_SERVER_HEADER_BYTES_MAX + RELAY_V1_ENVELOPE_SIZE,
};

struct envelopes {
    const struct worker *worker;
    uint64_t now_us;        /* of the send that is being made */
    struct latency latency; /* LATENCY_RELAY, of live messages */
    uint8_t heads[ENVELOPES_MAX][ENVELOPE_HEAD_MAX];
    uint8_t head_lens[ENVELOPES_MAX]; /* 0: a frame without an envelope */
};

void envelopes_init(struct envelopes *envelopes, const struct worker *worker);

/* A send is made. */
void envelopes_begin(struct envelopes *envelopes);

/* The bytes to send of the entry at that place of the send, from the one at skip on; the head of
 * one that is partly sent is kept. Returns the number of slices, SEND_ENTRY_SLICES_MAX at most. */
unsigned envelopes_slices(struct envelopes *envelopes, unsigned place,
                          const struct send_entry *entry, size_t skip, struct iovec *slices);

/* Bytes of its whole frame. */
size_t envelopes_frame_len(const struct envelopes *envelopes, unsigned place,
                           const struct send_entry *entry);

/* The frame at that place is partly sent: it is the first one of the next send. */
void envelopes_keep(struct envelopes *envelopes, unsigned place);
