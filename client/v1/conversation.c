#include "client/v1/conversation.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "client/credential.h"

enum { NS_PER_US = 1000, US_PER_MS = 1000, US_PER_S = 1000000 };

uint64_t conversation_clock_us(void)
{
    return clock_monotonic_ns() / NS_PER_US;
}

/* The relay's time, or what this machine takes for it until the relay was asked. */
static uint64_t relay_now_us(const struct conversation *conversation, uint64_t now_us)
{
    uint64_t relay_us = clock_exchange_relay_us(&conversation->clock, now_us);

    return relay_us != 0 ? relay_us : clock_wall_ns() / NS_PER_US;
}

void conversation_begin(struct conversation *conversation, struct relay_client *client, bool spoken,
                        uint64_t now_us)
{
    char *token = conversation->renewal.token;

    *conversation = (struct conversation){.spoken = spoken,
                                          .clock_due_us = now_us,
                                          .report_due_us = now_us,
                                          .renewal = {.token = token}};
    pthread_mutex_lock(&client->mutex);
    client->statistics.relay_v1 = spoken;
    client->statistics.viewers = -1;
    /* A report is of an earlier connection, and a token has just been asked for. */
    client->wishes &= spoken ? CLIENT_WISH_LEASE | CLIENT_WISH_KEYFRAME : 0;
    client_watch(client, true); /* until the relay tells otherwise, if it ever tells */
    pthread_mutex_unlock(&client->mutex);
}

void conversation_end(struct conversation *conversation)
{
    renewal_deinit(&conversation->renewal);
    bytes_wipe(conversation->said, sizeof conversation->said);
}

void conversation_stamp(struct conversation *conversation, bool is_text, uint64_t sent_ns,
                        uint8_t envelope[static RELAY_V1_ENVELOPE_SIZE])
{
    const struct relay_v1_envelope stamps = {
        .kind = RELAY_V1_DATA,
        .flags = is_text ? RELAY_V1_TEXT : 0,
        .sequence = conversation->sequence++,
        .sent_us = clock_exchange_relay_us(&conversation->clock, sent_ns / NS_PER_US),
    };

    relay_v1_envelope_write(&stamps, envelope);
}

/* Hearing. */

static void notice_post(struct relay_client *client, const struct relay_client_notice *notice)
{
    if (client->callbacks.on_notice != NULL) {
        client->callbacks.on_notice(notice, client->callbacks.context);
    }
}

static void viewers_hear(struct relay_client *client, uint32_t viewers)
{
    const struct relay_client_notice notice = {.kind = RELAY_CLIENT_NOTICE_VIEWERS,
                                               .viewers = viewers};

    pthread_mutex_lock(&client->mutex);
    client->statistics.viewers = viewers;
    client_watch(client, viewers > 0);
    pthread_mutex_unlock(&client->mutex);
    notice_post(client, &notice);
}

static void keyframe_hear(struct relay_client *client)
{
    pthread_mutex_lock(&client->mutex);
    client->keyframe_wanted = true;
    pthread_mutex_unlock(&client->mutex);
}

static void live_hear(struct relay_client *client, const struct relay_v1_control *control)
{
    const struct relay_client_notice notice = {.kind = RELAY_CLIENT_NOTICE_STREAM,
                                               .is_live = control->live.is_live,
                                               .publishers = control->live.publishers};

    notice_post(client, &notice);
}

static void clock_hear(struct conversation *conversation, struct relay_client *client,
                       const struct relay_v1_control *control, uint64_t now_us)
{
    if (clock_exchange_take(&conversation->clock, control->clock.asked, control->clock.arrived_us,
                            control->clock.answered_us, now_us)) {
        pthread_mutex_lock(&client->mutex);
        client->statistics.round_trip_ns =
            clock_exchange_round_trip_us(&conversation->clock) * NS_PER_US;
        pthread_mutex_unlock(&client->mutex);
    }
}

static void lease_hear(struct relay_client *client, const struct relay_v1_control *control)
{
    const struct relay_client_notice notice = {
        .kind = RELAY_CLIENT_NOTICE_LEASE,
        .lease = (enum relay_client_lease)control->lease.state,
        .lease_refused = control->lease.refused,
        .lease_idle_ms = control->lease.idle_ms,
    };

    if (control->lease.state <= RELAY_V1_LEASE_WANTED) { /* the others are said by clients */
        notice_post(client, &notice);
    }
}

static void expiry_hear(struct conversation *conversation, struct relay_client *client,
                        const struct relay_v1_control *control, uint64_t now_us)
{
    const struct relay_client_notice notice = {
        .kind = RELAY_CLIENT_NOTICE_EXPIRY,
        .renewal = (enum relay_client_renewal)control->expiry.result,
        .expires_s = control->expiry.expires_s,
    };

    if (control->expiry.result == RELAY_V1_EXPIRY_TOO_OFTEN) {
        renewal_forget_token(&conversation->renewal);
    }
    if (control->expiry.expires_s < UINT64_MAX / US_PER_S) {
        renewal_note_expiry(&conversation->renewal, control->expiry.expires_s * US_PER_S,
                            relay_now_us(conversation, now_us));
    }
    notice_post(client, &notice);
}

static void control_hear(struct conversation *conversation, struct relay_client *client,
                         const struct relay_v1_control *control, uint64_t now_us)
{
    switch ((uint8_t)control->kind) {
    case RELAY_V1_VIEWERS:
        viewers_hear(client, control->viewers);
        break;
    case RELAY_V1_KEY_PICTURE:
        keyframe_hear(client);
        break;
    case RELAY_V1_LIVE:
        live_hear(client, control);
        break;
    case RELAY_V1_CLOCK_ANSWER:
        clock_hear(conversation, client, control, now_us);
        break;
    case RELAY_V1_LEASE:
        lease_hear(client, control);
        break;
    case RELAY_V1_EXPIRY:
        expiry_hear(conversation, client, control, now_us);
        break;
    default: /* not for clients */
        break;
    }
}

/* The payload of a text message may be cut anywhere but has to be whole text (RFC 6455 §8.1). */
static const char *payload_open(const struct conversation *conversation,
                                struct websocket_message *message, uint64_t arrived_us,
                                struct conversation_payload *ret_payload)
{
    struct relay_v1_envelope envelope;

    if (message->len < RELAY_V1_ENVELOPE_SIZE) {
        return "the server sent a message that is shorter than its envelope";
    }
    relay_v1_envelope_read(message->data, &envelope);
    message->data = (const uint8_t *)message->data + RELAY_V1_ENVELOPE_SIZE;
    message->len -= RELAY_V1_ENVELOPE_SIZE;
    message->type = (envelope.flags & RELAY_V1_TEXT) != 0 ? RELAY_CLIENT_TEXT : RELAY_CLIENT_BINARY;
    *ret_payload = (struct conversation_payload){
        .stamps = {.sent_us = envelope.sent_us,
                   .relayed_us = envelope.received_us,
                   .forwarded_us = envelope.forwarded_us,
                   .arrived_us = clock_exchange_relay_us(&conversation->clock, arrived_us),
                   .sequence = envelope.sequence,
                   .source = envelope.source},
        .gap = (envelope.flags & RELAY_V1_GAP) != 0,
        .catch_up = (envelope.flags & RELAY_V1_CATCH_UP) != 0,
    };
    if (message->type == RELAY_CLIENT_TEXT &&
        !utf8_is_valid(bytes_of(message->data, message->len))) {
        return "the server sent text that is not UTF-8";
    }
    return NULL;
}

enum conversation_heard conversation_hear(struct conversation *conversation,
                                          struct relay_client *client,
                                          struct websocket_message *message, uint64_t arrived_us,
                                          struct conversation_payload *ret_payload,
                                          const char **ret_cause)
{
    struct bytes content = bytes_of(message->data, message->len);
    struct relay_v1_control control;

    if (message->type != RELAY_CLIENT_BINARY || content.len == 0) {
        *ret_cause = "the server sent a message without a kind";
        return CONVERSATION_BROKEN;
    }
    if (relay_v1_is_payload(content.data[0])) {
        *ret_cause = payload_open(conversation, message, arrived_us, ret_payload);
        return *ret_cause == NULL ? CONVERSATION_PAYLOAD : CONVERSATION_BROKEN;
    }
    if (relay_v1_control_read(content, &control) == RELAY_V1_OK) {
        control_hear(conversation, client, &control, arrived_us);
    }
    return CONVERSATION_CONTROL;
}

/* Saying. */

static struct bytes say(struct conversation *conversation, const struct relay_v1_control *control)
{
    size_t len = relay_v1_control_write(control, conversation->said, sizeof conversation->said);

    CHECK(len > 0);
    return bytes_of(conversation->said, len);
}

static struct bytes clock_say(struct conversation *conversation, uint64_t now_us)
{
    const struct relay_v1_control control = {.kind = RELAY_V1_CLOCK_REQUEST,
                                             .clock = {.asked = now_us}};
    bool first = ++conversation->clock_requests < CONVERSATION_CLOCK_FIRST_COUNT;

    conversation->clock_due_us =
        now_us + (first ? CONVERSATION_CLOCK_FIRST_S : CONVERSATION_CLOCK_S) * UINT64_C(1000000);
    return say(conversation, &control);
}

static struct bytes token_say(struct conversation *conversation, struct relay_client *client,
                              uint64_t now_us)
{
    struct bytes said = {0};
    struct fault ignored;
    char *token;

    if (!renewal_is_due(&conversation->renewal, relay_now_us(conversation, now_us)) ||
        client_token_take(client, &token, &ignored) != PROGRESS_DONE) {
        return said;
    }
    if (renewal_is_new(&conversation->renewal, token)) {
        const struct relay_v1_control control = {.kind = RELAY_V1_TOKEN,
                                                 .token = bytes_of_text(token)};

        said = say(conversation, &control);
        renewal_note_token(&conversation->renewal, token);
    }
    credential_release(token);
    return said;
}

static struct bytes lease_say(struct conversation *conversation, struct relay_client *client,
                              enum client_wish wish)
{
    bool gives = wish == CLIENT_WISH_GIVE_LEASE;
    const struct relay_v1_control control = {
        .kind = RELAY_V1_LEASE,
        .lease = {.state = gives ? RELAY_V1_LEASE_GIVE : RELAY_V1_LEASE_REQUEST}};

    (void)client_wish_take(client, wish);
    return say(conversation, &control);
}

static struct bytes keyframe_say(struct conversation *conversation, struct relay_client *client)
{
    const struct relay_v1_control control = {.kind = RELAY_V1_KEY_PICTURE,
                                             .key_reason = RELAY_V1_KEY_ASKED};

    (void)client_wish_take(client, CLIENT_WISH_KEYFRAME);
    return say(conversation, &control);
}

static struct bytes report_say(struct conversation *conversation, struct relay_client *client,
                               uint64_t now_us)
{
    const struct relay_client_report report = client_wish_take(client, CLIENT_WISH_REPORT);
    const struct relay_v1_control control = {
        .kind = RELAY_V1_REPORT,
        .report = {.sent_us = report.stamps.sent_us,
                   .forwarded_us = report.stamps.forwarded_us,
                   .arrived_us = report.stamps.arrived_us,
                   .shown_us =
                       clock_exchange_relay_us(&conversation->clock, report.used_ns / NS_PER_US),
                   .queued = report.queued,
                   .dropped = report.dropped,
                   .round_trip_us = (uint32_t)clock_exchange_round_trip_us(&conversation->clock)},
    };

    conversation->report_due_us = now_us + CONVERSATION_REPORT_S * UINT64_C(1000000);
    return say(conversation, &control);
}

struct bytes conversation_say(struct conversation *conversation, struct relay_client *client,
                              uint64_t now_us)
{
    unsigned wishes = conversation->spoken ? client_wishes(client) : 0;

    if (!conversation->spoken) {
        return (struct bytes){0};
    }
    if (now_us >= conversation->clock_due_us) {
        return clock_say(conversation, now_us);
    }
    if ((wishes & CLIENT_WISH_TOKEN) != 0) {
        (void)client_wish_take(client, CLIENT_WISH_TOKEN);
        renewal_hurry(&conversation->renewal, relay_now_us(conversation, now_us));
    }
    struct bytes token = token_say(conversation, client, now_us);

    if (token.len > 0) {
        return token;
    }
    if ((wishes & CLIENT_WISH_GIVE_LEASE) != 0) {
        return lease_say(conversation, client, CLIENT_WISH_GIVE_LEASE);
    }
    if ((wishes & CLIENT_WISH_LEASE) != 0) {
        return lease_say(conversation, client, CLIENT_WISH_LEASE);
    }
    if ((wishes & CLIENT_WISH_KEYFRAME) != 0) {
        return keyframe_say(conversation, client);
    }
    if ((wishes & CLIENT_WISH_REPORT) != 0 && now_us >= conversation->report_due_us) {
        return report_say(conversation, client, now_us);
    }
    return (struct bytes){0};
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t conversation_wait_ms(const struct conversation *conversation, uint64_t now_us)
{
    uint64_t renewal_us = renewal_due_us(&conversation->renewal);
    uint64_t relay_us = relay_now_us(conversation, now_us);

    if (!conversation->spoken) {
        return UINT64_MAX;
    }
    uint64_t clock_us =
        conversation->clock_due_us > now_us ? conversation->clock_due_us - now_us : 0;

    renewal_us = renewal_us == UINT64_MAX ? UINT64_MAX
                 : renewal_us > relay_us  ? renewal_us - relay_us
                                          : 0;
    /* Rounded up: not a turn too early. */
    return least(clock_us, renewal_us) / US_PER_MS + 1;
}
