#include "server/report/report_element.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server/conn/address.h"
#include "server/conn/transport.h"
#include "server/websocket/phase_websocket.h"

enum { TIME_SIZE = 32, DURATION_SIZE = 48, FIGURES_SIZE = 128 };

/* A byte of a text takes six at most ("\u0001"); the rest of an element is a few hundred. */
_Static_assert((TOPIC_NAME_SIZE + USER_AGENT_SIZE + REPORTED_ADDRESS_SIZE) * 6 +
                       PERMISSION_SCOPES_SIZE + 1400 <
                   REPORT_ELEMENT_SIZE,
               "an element fits");
struct direction {
    uint64_t messages, bytes;
    uint64_t first_ms, last_ms;
};

static void format_time(int64_t time_s, char text[static TIME_SIZE])
{
    time_t seconds = (time_t)time_s;
    struct tm utc;

    gmtime_r(&seconds, &utc);
    strftime(text, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* As Go prints a duration: 1h2m3.5s, 1.2s, 15ms. */
static void format_duration(uint64_t ms, char text[static DURATION_SIZE])
{
    char fraction[8] = "";
    uint64_t seconds = ms / 1000;

    if (ms < 1000) {
        snprintf(text, DURATION_SIZE, ms == 0 ? "0s" : "%llums", (unsigned long long)ms);
        return;
    }
    if (ms % 1000 != 0) {
        snprintf(fraction, sizeof fraction, ".%03u", (unsigned)(ms % 1000));
        for (size_t end = strlen(fraction); fraction[end - 1] == '0'; end--) {
            fraction[end - 1] = '\0';
        }
    }
    if (seconds >= 3600) {
        snprintf(text, DURATION_SIZE, "%lluh%um%u%ss", (unsigned long long)(seconds / 3600),
                 (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60), fraction);
    } else if (seconds >= 60) {
        snprintf(text, DURATION_SIZE, "%um%u%ss", (unsigned)(seconds / 60),
                 (unsigned)(seconds % 60), fraction);
    } else {
        snprintf(text, DURATION_SIZE, "%u%ss", (unsigned)seconds, fraction);
    }
}

static void write_direction(struct json_writer *out, const struct direction *direction,
                            uint64_t now_ms)
{
    char last[DURATION_SIZE], figures[FIGURES_SIZE];
    double mean_bytes = 0;
    double fps = 0;

    if (direction->messages == 0) {
        json_writer_raw(out, "{\"last\":\"Never\",\"size\":0,\"fps\":0}");
        return;
    }
    format_duration(now_ms > direction->last_ms ? now_ms - direction->last_ms : 0, last);
    mean_bytes = (double)direction->bytes / (double)direction->messages;
    if (direction->last_ms > direction->first_ms) {
        fps = (double)(direction->messages - 1) * 1000.0 /
              (double)(direction->last_ms - direction->first_ms);
    }
    snprintf(figures, sizeof figures, "{\"last\":\"%s\",\"size\":%.0f,\"fps\":%.3f}", last,
             mean_bytes, fps);
    json_writer_raw(out, figures);
}

/* The content of one element, of a connection or of the relay itself. */
struct subject {
    const char *topic, *scopes_json, *remote_address, *user_agent;
    const char *tls; /* the maker of the records, or "" */
    bool can_read, can_write;
    int64_t connected_s, expires_s;
    struct direction sent, received;             /* by the client */
    const uint64_t *dropped;                     /* for it, by enum lag_policy; or NULL */
    const struct latency *latency[LATENCY_HOPS]; /* NULL: not known */
};

/* key: with everything that stands around it. */
static void write_text(struct json_writer *out, const char *key, const char *text)
{
    json_writer_raw(out, key);
    json_writer_text(out, text);
}

static void write_time(struct json_writer *out, const char *key, int64_t time_s)
{
    char text[TIME_SIZE];

    format_time(time_s, text);
    write_text(out, key, text);
}

static void write_text_unless_empty(struct json_writer *out, const char *key, const char *text)
{
    if (text[0] != '\0') {
        write_text(out, key, text);
    }
}

/* Behind the keys that clients know, and only of a viewer that was too slow. */
static void write_dropped(struct json_writer *out, const uint64_t *dropped)
{
    static const char *const names[LAG_POLICY_COUNT] = {
        [LAG_POLICY_DATA] = "data", [LAG_POLICY_VIDEO] = "video", [LAG_POLICY_LATEST] = "latest"};
    char text[FIGURES_SIZE];
    const char *lead = ",\"dropped\":{";

    for (unsigned i = 0; dropped != NULL && i < LAG_POLICY_COUNT; i++) {
        if (dropped[i] > 0) {
            snprintf(text, sizeof text, "%s\"%s\":%llu", lead, names[i],
                     (unsigned long long)dropped[i]);
            json_writer_raw(out, text);
            lead = ",";
        }
    }
    json_writer_raw(out, lead[1] == '\0' ? "}" : "");
}

/* In milliseconds, if it speaks relay.v1. One object: readers bound the depth of reports. */
static void write_latency(struct json_writer *out, const struct subject *subject)
{
    static const char *const names[LATENCY_HOPS] = {[LATENCY_PUBLISH] = "publish",
                                                    [LATENCY_RELAY] = "relay",
                                                    [LATENCY_DELIVER] = "deliver",
                                                    [LATENCY_DECODE] = "decode"};
    char text[FIGURES_SIZE];
    const char *lead = ",\"latency\":{";

    for (unsigned i = 0; i < LATENCY_HOPS; i++) {
        const struct latency *latency = subject->latency[i];

        if (latency != NULL && latency->count > 0) {
            snprintf(text, sizeof text, "%s\"%s_p50\":%.3f,\"%s_p99\":%.3f", lead, names[i],
                     (double)latency_percentile_us(latency, 50) / 1000, names[i],
                     (double)latency_percentile_us(latency, 99) / 1000);
            json_writer_raw(out, text);
            lead = ",";
        }
    }
    json_writer_raw(out, lead[1] == '\0' ? "}" : "");
}

static void write_topic_element(struct json_writer *out, const struct subject *subject,
                                uint64_t now_ms)
{
    json_writer_raw(out, "{\"canRead\":");
    json_writer_boolean(out, subject->can_read);
    json_writer_raw(out, ",\"canWrite\":");
    json_writer_boolean(out, subject->can_write);
    write_time(out, ",\"connected\":", subject->connected_s);
    write_time(out, ",\"expiresAt\":", subject->expires_s);
    write_text(out, ",\"remoteAddr\":", subject->remote_address);
    json_writer_raw(out, ",\"scopes\":");
    json_writer_raw(out, subject->scopes_json);
    json_writer_raw(out, ",\"stats\":{\"tx\":");
    write_direction(out, &subject->sent, now_ms);
    json_writer_raw(out, ",\"rx\":");
    write_direction(out, &subject->received, now_ms);
    write_text(out, "},\"topic\":", subject->topic);
    write_text(out, ",\"userAgent\":", subject->user_agent);
    write_text_unless_empty(out, ",\"tls\":", subject->tls); /* behind the keys that clients know */
    write_dropped(out, subject->dropped);
    write_latency(out, subject);
    json_writer_raw(out, "},");
}

/* Go's omitempty: false and "" are left out, the times and scopes never are empty. */
static void write_status_element(struct json_writer *out, const struct subject *subject)
{
    json_writer_raw(out, "{");
    json_writer_raw(out, subject->can_read ? "\"can_read\":true," : "");
    json_writer_raw(out, subject->can_write ? "\"can_write\":true," : "");
    write_time(out, "\"connected_at\":", subject->connected_s);
    write_time(out, ",\"expires_at\":", subject->expires_s);
    write_text_unless_empty(out, ",\"remote_addr\":", subject->remote_address);
    json_writer_raw(out, ",\"scopes\":");
    json_writer_raw(out, subject->scopes_json);
    write_text_unless_empty(out, ",\"tls\":", subject->tls);
    write_text_unless_empty(out, ",\"topic\":", subject->topic);
    write_text_unless_empty(out, ",\"user_agent\":", subject->user_agent);
    write_dropped(out, subject->dropped);
    write_latency(out, subject);
    json_writer_raw(out, "},");
}

static void write_subject(struct json_writer *out, enum report_shape shape,
                          const struct subject *subject, uint64_t now_ms)
{
    if (shape == REPORT_TOPIC) {
        write_topic_element(out, subject, now_ms);
    } else {
        write_status_element(out, subject);
    }
}

void report_element_write_conn(struct json_writer *out, enum report_shape shape,
                               const struct conn *conn)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);
    struct subject subject = {
        .topic = ws->topic->name,
        .scopes_json = ws->identity.scopes_json,
        .remote_address = conn->table->shared->config->privacy ? "" : ws->identity.reported_address,
        .user_agent = ws->identity.user_agent,
        .tls = conn->transport->text,
        .can_read = ws->can_read,
        .can_write = ws->can_write,
        .connected_s = ws->opened_s,
        .expires_s = ws->exp_s,
        .sent = {.messages = ws->messages_received,
                 .bytes = ws->bytes_received,
                 .first_ms = ws->first_received_ms,
                 .last_ms = ws->last_received_ms},
        .received = {.messages = conn->messages_sent,
                     .bytes = conn->subscriber.queue.payload_sent,
                     .first_ms = conn->first_sent_ms,
                     .last_ms = conn->last_sent_ms},
        .dropped = conn->subscriber.lag.dropped,
    };

    for (enum latency_hop hop = 0; hop < LATENCY_HOPS; hop++) {
        subject.latency[hop] = exchange_latency(conn, hop);
    }
    write_subject(out, shape, &subject, conn->worker->now_ms);
}

/* The relay itself listens on its topic, and clients expect to see it. */
void report_element_write_self(struct json_writer *out, enum report_shape shape,
                               const struct conn_shared *shared)
{
    const struct subject subject = {
        .topic = STATS_TOPIC,
        .scopes_json = "[\"read\",\"stats\",\"write\"]",
        .remote_address = "internal",
        .user_agent = "crossbar",
        .tls = "",
        .can_read = true,
        .can_write = true,
        .connected_s = shared->started_s,
    };

    write_subject(out, shape, &subject, 0);
}
