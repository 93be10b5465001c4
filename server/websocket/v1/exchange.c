#include "server/websocket/v1/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/conn/send.h"
#include "server/hub/drop_policy.h"
#include "server/hub/v1/envelopes.h"
#include "server/websocket/phase_websocket.h"
#include "server/websocket/v1/renewal.h"
#include "wire/ws_mask.h"

static struct exchange *exchange_of(struct conn *conn)
{
    return phase_websocket_of(conn)->exchange;
}

static bool give_envelopes(struct conn *conn)
{
    struct envelopes *envelopes = malloc(sizeof *envelopes);

    if (envelopes == NULL) {
        return false;
    }
    envelopes_init(envelopes, conn->worker);
    conn->subscriber.queue.envelopes = envelopes;
    return true;
}

struct exchange *exchange_create(struct conn *conn, bool can_read)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);

    if (exchange == NULL || (can_read && !give_envelopes(conn))) {
        free(exchange);
        return NULL;
    }
    counters_increment(&conn->worker->counters, v1_opened);
    return exchange;
}

void exchange_destroy(struct exchange *exchange)
{
    bytes_wipe(exchange->head, sizeof exchange->head); /* of a token, perhaps */
    free(exchange);
}

static void tell_expiry(struct conn *conn, enum relay_v1_expiry_result result)
{
    const struct relay_v1_control control = {
        .kind = RELAY_V1_EXPIRY,
        .expiry = {.result = result, .expires_s = (uint64_t)phase_websocket_seen(conn)->exp_s},
    };

    audience_say_surely(conn->worker, phase_websocket_seen(conn)->topic, &exchange_of(conn)->member,
                        &control);
}

static void set_member(struct conn *conn)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);
    struct member *member = &ws->exchange->member;

    member->subscriber = &conn->subscriber;
    member->bounds = &conn->table->shared->bounds;
    member->can_read = ws->can_read;
    member->can_write = ws->can_write;
    member->claim = ws->topic->lease == NULL ? NULL : &ws->claim;
}

void exchange_return(struct conn *conn)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);

    set_member(conn);
    ws->exchange->member.is_held = true;
    audience_return(conn->worker, ws->topic, &ws->exchange->member);
}

void exchange_resume(struct exchange *exchange)
{
    exchange->member.is_held = false;
}

void exchange_join(struct conn *conn)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);

    set_member(conn);
    tell_expiry(conn, RELAY_V1_EXPIRY_NOTICE);
    audience_join(conn->worker, ws->topic, &ws->exchange->member);
}

void exchange_leave(struct conn *conn)
{
    audience_leave(conn->worker, phase_websocket_seen(conn)->topic, &exchange_of(conn)->member);
}

void exchange_begin_message(struct exchange *exchange)
{
    exchange->head_len = 0;
}

bool exchange_wants_head(const struct exchange *exchange)
{
    return exchange->head_len < RELAY_V1_ENVELOPE_SIZE;
}

size_t exchange_take_head(struct exchange *exchange, struct bytes bytes, const uint8_t mask[4],
                          uint64_t offset)
{
    size_t room = RELAY_V1_ENVELOPE_SIZE - exchange->head_len;
    size_t len = bytes.len < room ? bytes.len : room;

    ws_mask_copy(exchange->head + exchange->head_len, bytes.data, len, mask, offset);
    exchange->head_len = (uint8_t)(exchange->head_len + len);
    return len;
}

bool exchange_is_control(const struct exchange *exchange)
{
    return exchange->head_len > 0 && !relay_v1_is_payload(exchange->head[0]);
}

bool exchange_has_envelope(const struct exchange *exchange)
{
    return exchange->head_len == RELAY_V1_ENVELOPE_SIZE && !exchange_is_control(exchange);
}

static struct relay_v1_envelope envelope_of(const struct exchange *exchange)
{
    struct relay_v1_envelope envelope;

    CHECK(exchange_has_envelope(exchange));
    relay_v1_envelope_read(exchange->head, &envelope);
    return envelope;
}

bool exchange_says_text(const struct exchange *exchange)
{
    return (envelope_of(exchange).flags & RELAY_V1_TEXT) != 0;
}

void exchange_stamp(struct exchange *exchange, struct message *message)
{
    struct relay_v1_envelope envelope = envelope_of(exchange);

    message->sequence = envelope.sequence;
    message->sent_us = envelope.sent_us;
    latency_add_between(&exchange->publish, message->sent_us, message->received_us);
}

const struct latency *exchange_latency(const struct conn *conn, enum latency_hop hop)
{
    const struct exchange *exchange = phase_websocket_seen(conn)->exchange;
    const struct envelopes *envelopes = conn->subscriber.queue.envelopes;

    if (exchange == NULL) {
        return NULL;
    }
    switch (hop) {
    case LATENCY_PUBLISH:
        return &exchange->publish;
    case LATENCY_RELAY:
        return envelopes == NULL ? NULL : &envelopes->latency;
    case LATENCY_DELIVER:
        return &exchange->deliver;
    case LATENCY_DECODE:
        return &exchange->decode;
    case LATENCY_HOPS:
        break;
    }
    UNREACHABLE();
}

/* A client that asks without reading gets an answer to some only, among them the last. */
static void answer(struct conn *conn, const struct relay_v1_control *control)
{
    uint8_t payload[RELAY_V1_FIXED_MAX];
    size_t len = relay_v1_control_write(control, payload, sizeof payload);
    struct message *message =
        message_create_notice(conn->worker, MESSAGE_ANSWER, bytes_of(payload, len));

    if (message == NULL) {
        counters_increment(&conn->worker->counters, messages_dropped_memory);
    } else if (drop_policy_replace_answer(&conn->subscriber.queue, conn->worker,
                                          &message->home_share)) {
        share_unref(conn->worker, &message->home_share);
    } else {
        conn_send(conn, message);
    }
}

static bool answer_clock(struct conn *conn, uint64_t asked)
{
    uint64_t now_us = clock_wall_ns() / 1000;
    const struct relay_v1_control control = {
        .kind = RELAY_V1_CLOCK_ANSWER,
        .clock = {.asked = asked, .arrived_us = now_us, .answered_us = now_us},
    };

    answer(conn, &control);
    return true;
}

static bool is_early(uint64_t now_ms, uint64_t *last_ms, uint64_t wait_ms)
{
    bool early = *last_ms != 0 && now_ms < *last_ms + wait_ms;

    *last_ms = early ? *last_ms : now_ms;
    return early;
}

void exchange_say_refused(struct conn *conn)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);
    const struct relay_v1_control control = {
        .kind = RELAY_V1_LEASE,
        .lease = {.state = RELAY_V1_LEASE_REFUSED,
                  .refused = ws->claim.refused,
                  .idle_ms = (uint32_t)ws->topic->lease->idle_ms},
    };

    if (!is_early(conn->worker->now_ms, &ws->exchange->refused_ms, EXCHANGE_REFUSED_MS)) {
        audience_say(conn->worker, &ws->exchange->member, &control);
    }
}

static bool change_lease(struct conn *conn, enum relay_v1_lease_state wish)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    struct lease *lease = ws->topic->lease;
    uint64_t now_ms = conn->worker->now_ms;

    if (lease == NULL || !ws->can_write ||
        (wish != RELAY_V1_LEASE_REQUEST && wish != RELAY_V1_LEASE_GIVE)) {
        return false;
    }
    if (wish == RELAY_V1_LEASE_REQUEST ? lease_request(lease, &ws->claim, now_ms)
                                       : lease_give(lease, &ws->claim, now_ms)) {
        audience_note(conn->worker, ws->topic);
    }
    return true;
}

static bool take_token(struct conn *conn, struct bytes token)
{
    struct exchange *exchange = exchange_of(conn);
    bool early = is_early(conn->worker->now_ms, &exchange->token_ms, RENEWAL_MS);

    tell_expiry(conn, early ? RELAY_V1_EXPIRY_TOO_OFTEN : renewal_take(conn, token));
    return !early;
}

static bool ask_key(struct conn *conn)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);

    if (ws->can_read) {
        audience_ask_key(conn->worker, ws->topic, RELAY_V1_KEY_ASKED);
    }
    return ws->can_read;
}

/* A decoder may be as late as pictures may be; what is beyond counts as if they had waited here. A
 * report of what was sent before the last skip knows nothing of it. */
static void follow_decoder(struct conn *conn, const struct relay_v1_report *report)
{
    struct lag *lag = &conn->subscriber.lag;
    uint64_t now_us = clock_wall_ns() / 1000, now_ms = conn->worker->now_ms;
    uint64_t age_ms_max = send_bounds_age_ms(&conn->table->shared->bounds, lag, true);

    if (report->forwarded_us == 0 || report->forwarded_us > now_us ||
        report->arrived_us < report->forwarded_us || report->shown_us < report->arrived_us) {
        return;
    }
    uint64_t sent_ago_ms = (now_us - report->forwarded_us) / 1000;
    uint64_t late_ms = (report->shown_us - report->arrived_us) / 1000;

    if (age_ms_max == 0 || sent_ago_ms > now_ms || now_ms - sent_ago_ms <= lag->skipped_ms) {
        return;
    }
    late_ms = late_ms < sent_ago_ms ? late_ms : sent_ago_ms; /* no later than now */
    lag->behind_ms = late_ms > age_ms_max ? (uint32_t)(late_ms - age_ms_max) : 0;
    if (lag->behind_ms > 0) {
        counters_increment(&conn->worker->counters, v1_skips_asked);
    }
}

static bool take_report(struct conn *conn, const struct relay_v1_report *report)
{
    struct exchange *exchange = exchange_of(conn);

    if (!phase_websocket_seen(conn)->can_read ||
        is_early(conn->worker->now_ms, &exchange->reported_ms, EXCHANGE_REPORT_MS)) {
        return false;
    }
    latency_add_between(&exchange->deliver, report->forwarded_us, report->arrived_us);
    latency_add_between(&exchange->decode, report->arrived_us, report->shown_us);
    follow_decoder(conn, report);
    return true;
}

/* False: it is of no use. */
static bool act(struct conn *conn, const struct relay_v1_control *control)
{
    switch ((uint8_t)control->kind) {
    case RELAY_V1_CLOCK_REQUEST:
        return answer_clock(conn, control->clock.asked);
    case RELAY_V1_KEY_PICTURE:
        return ask_key(conn);
    case RELAY_V1_REPORT:
        return take_report(conn, &control->report);
    case RELAY_V1_LEASE:
        return change_lease(conn, control->lease.state);
    case RELAY_V1_TOKEN:
        return take_token(conn, control->token);
    default: /* from the relay only, or not known */
        return false;
    }
}

void exchange_on_control(struct conn *conn, struct bytes body)
{
    struct exchange *exchange = exchange_of(conn);
    uint8_t message[RELAY_V1_CONTROL_MAX];
    struct relay_v1_control control;
    size_t len = exchange->head_len + body.len;

    CHECK(len <= sizeof message);
    memcpy(message, exchange->head, exchange->head_len);
    if (body.len > 0) {
        memcpy(message + exchange->head_len, body.data, body.len);
    }
    if (relay_v1_control_read(bytes_of(message, len), &control) == RELAY_V1_OK &&
        act(conn, &control)) {
        counters_increment(&conn->worker->counters, v1_controls);
    } else {
        counters_increment(&conn->worker->counters, v1_controls_ignored);
    }
    bytes_wipe(message, len); /* it may be a token */
    bytes_wipe(exchange->head, exchange->head_len);
}
