/* relay_status: a relay's reports about its connections, as structs instead of JSON.
 *
 * A client of the topic "stats" (see relay_client.h for connecting, threads, and life) that parses
 * each report and hands it to a callback. Both shapes are understood: the topic's (camelCase keys)
 * and that of GET /status (snake_case, empty members left out). Nothing is logged or printed.
 *
 * To test a program without a relay, create the client with options NULL and pass reports to
 * relay_status_feed; they take the same path as those of a relay, into the same callback. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RELAY_CLIENT_API __attribute__((visibility("default")))

struct relay_client_event;
struct relay_client_options;
struct relay_status;

enum relay_status_limits {
    RELAY_STATUS_ERROR_SIZE = 512,             /* as RELAY_CLIENT_ERROR_SIZE */
    RELAY_STATUS_BYTES_MAX = 32 * 1024 * 1024, /* of JSON at once */
    RELAY_STATUS_REPORTS_MAX = 65536,          /* connections in one report */
    RELAY_STATUS_SCOPES_MAX = 16,              /* of one connection; more are left out */
};

/* Messages of one connection in one direction. */
struct relay_status_direction {
    bool never;      /* there was none yet; last_ns is then 0 */
    int64_t last_ns; /* since the last one */
    double size;     /* mean bytes of a message */
    double fps;      /* messages per second */
};

/* The hops of messages of a connection that speaks relay.v1. */
enum relay_status_hop {
    RELAY_STATUS_PUBLISH, /* from this client to the relay */
    RELAY_STATUS_RELAY,   /* in the relay, for this client */
    RELAY_STATUS_DELIVER, /* from the relay to this client */
    RELAY_STATUS_DECODE,  /* in this client, until it is shown */
    RELAY_STATUS_HOPS,
};

struct relay_status_latency {
    bool known; /* false: not reported */
    double p50_ms, p99_ms;
};

/* One connection. Texts are UTF-8, never NULL, empty when not reported. Texts chosen by clients
 * (user_agent, perhaps topic and remote_address) may hold control characters. */
struct relay_status_report {
    const char *topic;
    const char *remote_address;
    const char *user_agent;
    const char *scopes[RELAY_STATUS_SCOPES_MAX];
    size_t scopes_count;
    bool can_read;
    bool can_write;
    int64_t connected_s;              /* since 1970 UTC; 0 when not reported */
    int64_t expires_s;                /* the same */
    bool has_statistics;              /* false: the relay has no statistics; tx and rx are zero */
    struct relay_status_direction tx; /* sent by the client */
    struct relay_status_direction rx; /* delivered to the client */
    uint64_t dropped;                 /* messages that it was too slow for; 0 when not reported */
    struct relay_status_latency latency[RELAY_STATUS_HOPS];
};

/* Valid until the callback returns. */
struct relay_status_reports {
    const struct relay_status_report *list;
    size_t count;
    const char *json; /* the same as text, not terminated; includes unknown members */
    size_t json_len;
};

/* All may be NULL. They run on the client's thread, or on that of relay_status_feed. */
struct relay_status_callbacks {
    void (*on_reports)(const struct relay_status_reports *reports, void *context);

    /* A message on the topic that is not a report. One line, without text of the message. */
    void (*on_malformed)(const char *reason, void *context);

    /* Each change of state of the connection; see relay_client.h. */
    void (*on_event)(const struct relay_client_event *event, void *context);
    void *context;
};

/* options as of relay_client_create: location is https://host/session/stats, the token has the
 * topic "stats" and the scope read; with write, relay_status_request works too. NULL: a client that
 * is only fed. Returns NULL with one line in error when the options are invalid. */
RELAY_CLIENT_API struct relay_status *
relay_status_create(const struct relay_client_options *options,
                    const struct relay_status_callbacks *callbacks,
                    char error[RELAY_STATUS_ERROR_SIZE]);

/* Connects and stays connected, in the background. 0 or -errno; -EINVAL without options. */
RELAY_CLIENT_API int relay_status_start(struct relay_status *status);

/* Asks the relay for a report now (at most one a second comes) instead of at the end of its period.
 * 0, or as relay_client_send. The relay ignores requests without the scope write. */
RELAY_CLIENT_API int relay_status_request(struct relay_status *status);

/* Processes a message as if it had come from the relay: one JSON array, or several JSON texts in
 * sequence, as older relays join them under load. Objects, which are commands of other clients on
 * the topic, are skipped. Not while started, nor from two threads at once. 0, -EBADMSG (not JSON,
 * or a member of the wrong type), -EMSGSIZE (beyond relay_status_limits) or -ENOMEM; the reason
 * goes to on_malformed. Reports before the bad part are delivered. */
RELAY_CLIENT_API int relay_status_feed(struct relay_status *status, const char *json, size_t len);

/* Ends the connection; see relay_client_stop. Harmless when not started. */
RELAY_CLIENT_API void relay_status_stop(struct relay_status *status, uint32_t linger_ms);

/* Stops if necessary and frees. Accepts NULL. */
RELAY_CLIENT_API void relay_status_destroy(struct relay_status *status);

#ifdef __cplusplus
}
#endif
