#include "wire/subprotocol/relay_v1.h"

#include <string.h>

#include "base/check.h"

enum {
    VIEWERS_SIZE = 8,
    LIVE_SIZE = 8,
    CLOCK_REQUEST_SIZE = 12,
    CLOCK_ANSWER_SIZE = 28,
    REPORT_SIZE = 48,
    LEASE_SIZE = 12,
    EXPIRY_SIZE = 12,
    FLAGS_KNOWN = RELAY_V1_TEXT | RELAY_V1_GAP | RELAY_V1_CATCH_UP,
};
_Static_assert(REPORT_SIZE == (int)RELAY_V1_FIXED_MAX, "the longest one");

static void put(uint8_t *buf, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        buf[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    }
}

static uint64_t take(const uint8_t *buf, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value = value << 8 | buf[i];
    }
    return value;
}

static uint32_t take_32(const uint8_t *buf)
{
    return (uint32_t)take(buf, 4);
}

static uint64_t take_64(const uint8_t *buf)
{
    return take(buf, 8);
}

void relay_v1_envelope_write(const struct relay_v1_envelope *envelope,
                             uint8_t buf[static RELAY_V1_ENVELOPE_SIZE])
{
    CHECK(relay_v1_is_payload(envelope->kind));
    buf[0] = envelope->kind;
    buf[1] = envelope->flags;
    put(buf + 2, envelope->source, 2);
    put(buf + 4, envelope->sequence, 4);
    put(buf + 8, envelope->sent_us, 8);
    put(buf + 16, envelope->received_us, 8);
    put(buf + 24, envelope->forwarded_us, 8);
}

void relay_v1_envelope_read(const uint8_t buf[static RELAY_V1_ENVELOPE_SIZE],
                            struct relay_v1_envelope *ret_envelope)
{
    *ret_envelope = (struct relay_v1_envelope){
        .kind = buf[0] <= RELAY_V1_LATEST ? buf[0] : RELAY_V1_DATA,
        .flags = buf[1] & FLAGS_KNOWN,
        .source = (uint16_t)take(buf + 2, 2),
        .sequence = take_32(buf + 4),
        .sent_us = take_64(buf + 8),
        .received_us = take_64(buf + 16),
        .forwarded_us = take_64(buf + 24),
    };
}

/* Length of a control message of this kind, a token's without the token; 0: the kind is unknown. */
static size_t size_of(uint8_t kind)
{
    switch (kind) {
    case RELAY_V1_VIEWERS:
        return VIEWERS_SIZE;
    case RELAY_V1_KEY_PICTURE:
    case RELAY_V1_TOKEN:
        return RELAY_V1_HEAD_SIZE;
    case RELAY_V1_LIVE:
        return LIVE_SIZE;
    case RELAY_V1_CLOCK_REQUEST:
        return CLOCK_REQUEST_SIZE;
    case RELAY_V1_CLOCK_ANSWER:
        return CLOCK_ANSWER_SIZE;
    case RELAY_V1_REPORT:
        return REPORT_SIZE;
    case RELAY_V1_LEASE:
        return LEASE_SIZE;
    case RELAY_V1_EXPIRY:
        return EXPIRY_SIZE;
    default: /* a byte of a peer, which may be anything */
        return 0;
    }
}

static void report_write(const struct relay_v1_report *report, uint8_t *buf)
{
    put(buf + 4, report->sent_us, 8);
    put(buf + 12, report->forwarded_us, 8);
    put(buf + 20, report->arrived_us, 8);
    put(buf + 28, report->shown_us, 8);
    put(buf + 36, report->queued, 4);
    put(buf + 40, report->dropped, 4);
    put(buf + 44, report->round_trip_us, 4);
}

static struct relay_v1_report report_read(const uint8_t *buf)
{
    return (struct relay_v1_report){
        .sent_us = take_64(buf + 4),
        .forwarded_us = take_64(buf + 12),
        .arrived_us = take_64(buf + 20),
        .shown_us = take_64(buf + 28),
        .queued = take_32(buf + 36),
        .dropped = take_32(buf + 40),
        .round_trip_us = take_32(buf + 44),
    };
}

static void body_write(const struct relay_v1_control *control, uint8_t *buf)
{
    switch ((uint8_t)control->kind) {
    case RELAY_V1_VIEWERS:
        put(buf + 4, control->viewers, 4);
        return;
    case RELAY_V1_KEY_PICTURE:
        buf[1] = (uint8_t)control->key_reason;
        return;
    case RELAY_V1_LIVE:
        buf[1] = control->live.is_live;
        put(buf + 4, control->live.publishers, 4);
        return;
    case RELAY_V1_CLOCK_ANSWER:
        put(buf + 12, control->clock.arrived_us, 8);
        put(buf + 20, control->clock.answered_us, 8);
        put(buf + 4, control->clock.asked, 8);
        return;
    case RELAY_V1_CLOCK_REQUEST:
        put(buf + 4, control->clock.asked, 8);
        return;
    case RELAY_V1_REPORT:
        report_write(&control->report, buf);
        return;
    case RELAY_V1_LEASE:
        buf[1] = (uint8_t)control->lease.state;
        put(buf + 4, control->lease.refused, 4);
        put(buf + 8, control->lease.idle_ms, 4);
        return;
    case RELAY_V1_TOKEN:
        if (control->token.len > 0) {
            memcpy(buf + 4, control->token.data, control->token.len);
        }
        return;
    case RELAY_V1_EXPIRY:
        buf[1] = (uint8_t)control->expiry.result;
        put(buf + 4, control->expiry.expires_s, 8);
        return;
    default: /* not a control message */
        UNREACHABLE();
    }
}

size_t relay_v1_control_write(const struct relay_v1_control *control, uint8_t *buf, size_t buf_size)
{
    size_t size = size_of((uint8_t)control->kind);

    if (control->kind == RELAY_V1_TOKEN) {
        CHECK(control->token.len <= RELAY_V1_TOKEN_MAX);
        size += control->token.len;
    }
    if (size > buf_size) {
        return 0;
    }
    memset(buf, 0, RELAY_V1_HEAD_SIZE);
    buf[0] = (uint8_t)control->kind;
    body_write(control, buf);
    return size;
}

/* False: a code of a later version. */
static bool body_read(struct bytes message, struct relay_v1_control *control)
{
    const uint8_t *buf = message.data;
    unsigned code = buf[1];

    switch ((uint8_t)control->kind) {
    case RELAY_V1_VIEWERS:
        control->viewers = take_32(buf + 4);
        return true;
    case RELAY_V1_KEY_PICTURE:
        control->key_reason = (enum relay_v1_key_reason)code;
        return code <= RELAY_V1_KEY_ASKED;
    case RELAY_V1_LIVE:
        control->live.is_live = code == 1;
        control->live.publishers = take_32(buf + 4);
        return code <= 1;
    case RELAY_V1_CLOCK_ANSWER:
        control->clock.arrived_us = take_64(buf + 12);
        control->clock.answered_us = take_64(buf + 20);
        control->clock.asked = take_64(buf + 4);
        return true;
    case RELAY_V1_CLOCK_REQUEST:
        control->clock.asked = take_64(buf + 4);
        return true;
    case RELAY_V1_REPORT:
        control->report = report_read(buf);
        return true;
    case RELAY_V1_LEASE:
        control->lease.state = (enum relay_v1_lease_state)code;
        control->lease.refused = take_32(buf + 4);
        control->lease.idle_ms = take_32(buf + 8);
        return code <= RELAY_V1_LEASE_GIVE;
    case RELAY_V1_TOKEN:
        control->token = bytes_skip(message, RELAY_V1_HEAD_SIZE);
        return true;
    case RELAY_V1_EXPIRY:
        control->expiry.result = (enum relay_v1_expiry_result)code;
        control->expiry.expires_s = take_64(buf + 4);
        return code <= RELAY_V1_EXPIRY_TOO_OFTEN;
    default: /* size_of knows no other */
        UNREACHABLE();
    }
}

enum relay_v1_result relay_v1_control_read(struct bytes message,
                                           struct relay_v1_control *ret_control)
{
    struct relay_v1_control control = {0};

    if (message.len > RELAY_V1_CONTROL_MAX) {
        return RELAY_V1_TOO_LONG;
    }
    if (message.len == 0) {
        return RELAY_V1_TOO_SHORT;
    }
    size_t size = size_of(message.data[0]);

    if (size == 0) {
        return RELAY_V1_UNKNOWN;
    }
    if (message.len < size) {
        return RELAY_V1_TOO_SHORT;
    }
    control.kind = (enum relay_v1_kind)message.data[0];
    if (!body_read(message, &control)) {
        return RELAY_V1_UNKNOWN;
    }
    *ret_control = control;
    return RELAY_V1_OK;
}
