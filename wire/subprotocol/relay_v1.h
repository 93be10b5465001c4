/* Messages of the WebSocket subprotocol relay.v1 (docs/protocol.md): an envelope in front of each
 * payload, and control messages. Integers are big-endian, times are microseconds since 1970 UTC by
 * the relay's clock, 0 if they are not known. Pure: no I/O, no allocation, any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

#define RELAY_V1_NAME "relay.v1"

enum relay_v1_limits {
    RELAY_V1_ENVELOPE_SIZE = 32,
    RELAY_V1_HEAD_SIZE = 4,  /* of a control message */
    RELAY_V1_FIXED_MAX = 48, /* the longest control message but for a token */
    RELAY_V1_TOKEN_MAX = 8192,
    RELAY_V1_CONTROL_MAX = RELAY_V1_HEAD_SIZE + RELAY_V1_TOKEN_MAX, /* longer ones are refused */
};

/* The first byte of each message. */
enum relay_v1_kind {
    RELAY_V1_DATA = 0x00,
    RELAY_V1_STREAM = 0x01,     /* of a transport stream; no picture begins in it */
    RELAY_V1_KEY = 0x02,        /* a picture begins in it that needs no earlier one */
    RELAY_V1_DEPENDENT = 0x03,  /* a picture begins in it that does */
    RELAY_V1_DISPOSABLE = 0x04, /* a picture that no other one needs */
    RELAY_V1_JPEG = 0x05,
    RELAY_V1_LATEST = 0x06,      /* of a topic of which only the last message is of use */
    RELAY_V1_PAYLOAD_MAX = 0x3f, /* those up to here that are not named are read as data */

    RELAY_V1_VIEWERS = 0x40,
    RELAY_V1_KEY_PICTURE = 0x41,
    RELAY_V1_LIVE = 0x42,
    RELAY_V1_CLOCK_REQUEST = 0x43,
    RELAY_V1_CLOCK_ANSWER = 0x44,
    RELAY_V1_REPORT = 0x45,
    RELAY_V1_LEASE = 0x46,
    RELAY_V1_TOKEN = 0x47,
    RELAY_V1_EXPIRY = 0x48,
};

enum relay_v1_flags {
    RELAY_V1_TEXT = 1u << 0,     /* the payload is a text message, not a binary one */
    RELAY_V1_GAP = 1u << 1,      /* a stream begins here for this viewer, or goes on behind a gap */
    RELAY_V1_CATCH_UP = 1u << 2, /* a viewer begins with it; it is not live */
};

struct relay_v1_envelope {
    uint8_t kind;  /* at most RELAY_V1_PAYLOAD_MAX */
    uint8_t flags; /* enum relay_v1_flags; others are reserved */
    uint16_t source;
    uint32_t sequence;
    uint64_t sent_us;
    uint64_t received_us;
    uint64_t forwarded_us;
};

enum relay_v1_key_reason {
    RELAY_V1_KEY_UNKNOWN = 0,
    RELAY_V1_KEY_JOINED = 1,
    RELAY_V1_KEY_SKIPPED = 2,
    RELAY_V1_KEY_ASKED = 3,
};

enum relay_v1_lease_state {
    RELAY_V1_LEASE_FREE = 0,
    RELAY_V1_LEASE_YOURS = 1,
    RELAY_V1_LEASE_TAKEN = 2,
    RELAY_V1_LEASE_REFUSED = 3,
    RELAY_V1_LEASE_WANTED = 4,
    RELAY_V1_LEASE_REQUEST = 5, /* those from here on by clients */
    RELAY_V1_LEASE_GIVE = 6,
};

enum relay_v1_expiry_result {
    RELAY_V1_EXPIRY_NOTICE = 0, /* no token was sent */
    RELAY_V1_EXPIRY_RENEWED = 1,
    RELAY_V1_EXPIRY_INVALID = 2,
    RELAY_V1_EXPIRY_OTHER = 3, /* not the same booking, topic and scopes */
    RELAY_V1_EXPIRY_DENIED = 4,
    RELAY_V1_EXPIRY_TOO_OFTEN = 5,
};

struct relay_v1_report {
    uint64_t sent_us, forwarded_us; /* of the envelope of the newest payload that was used */
    uint64_t arrived_us;            /* when it came to the viewer */
    uint64_t shown_us;              /* when it was shown */
    uint32_t queued;                /* payloads that arrived and were not used yet */
    uint32_t dropped;               /* payloads that the viewer gave up since it connected */
    uint32_t round_trip_us;
};

/* A control message, by its kind. */
struct relay_v1_control {
    enum relay_v1_kind kind;
    union {
        uint32_t viewers;                    /* VIEWERS */
        enum relay_v1_key_reason key_reason; /* KEY_PICTURE */
        struct {
            bool is_live;
            uint32_t publishers;
        } live; /* LIVE */
        struct {
            uint64_t asked;                   /* by the client's clock, whatever that is */
            uint64_t arrived_us, answered_us; /* CLOCK_ANSWER only */
        } clock;
        struct relay_v1_report report;
        struct {
            enum relay_v1_lease_state state;
            uint32_t refused; /* messages of this connection since it was opened */
            uint32_t
                idle_ms; /* a holder that sends nothing for so long gives it back; 0: keeps it */
        } lease;
        struct bytes token; /* borrowed */
        struct {
            enum relay_v1_expiry_result result;
            uint64_t expires_s; /* seconds since 1970 UTC */
        } expiry;
    };
};

enum relay_v1_result {
    RELAY_V1_OK,
    RELAY_V1_UNKNOWN,  /* a kind or a code of a later version: to be ignored */
    RELAY_V1_TOO_LONG, /* more than RELAY_V1_CONTROL_MAX */
    RELAY_V1_TOO_SHORT,
};

static inline bool relay_v1_is_payload(uint8_t kind)
{
    return kind <= RELAY_V1_PAYLOAD_MAX;
}

void relay_v1_envelope_write(const struct relay_v1_envelope *envelope,
                             uint8_t buf[static RELAY_V1_ENVELOPE_SIZE]);

/* The envelope of a message whose first byte relay_v1_is_payload. Reserved flags are cleared, kinds
 * without a name become RELAY_V1_DATA. */
void relay_v1_envelope_read(const uint8_t buf[static RELAY_V1_ENVELOPE_SIZE],
                            struct relay_v1_envelope *ret_envelope);

/* Writes a control message. Returns its length, or 0 when buf is too small; RELAY_V1_FIXED_MAX is
 * enough for all but a token. */
MUST_USE size_t relay_v1_control_write(const struct relay_v1_control *control, uint8_t *buf,
                                       size_t buf_size);

/* Reads a whole message that is no payload. A token is borrowed from it. Bytes behind those that
 * this version knows are ignored. */
MUST_USE enum relay_v1_result relay_v1_control_read(struct bytes message,
                                                    struct relay_v1_control *ret_control);
