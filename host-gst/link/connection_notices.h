/* Tells the user about the connection: which changes become messages on the bus, and which error
 * they carry. A live pipeline survives network faults, so each is a WARNING once per cause and
 * minute; only giving up is an ERROR. One thread, the client's. */
#pragma once

#include <gst/gst.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/relay_client.h"

enum { NOTICE_FAULTS = RELAY_CLIENT_FAULT_STALLED + 1 };

struct connection_notices {
    struct {
        bool posted;
        int code; /* HTTP status or close code */
        uint64_t posted_ms;
    } warnings[NOTICE_FAULTS];
    bool info_due; /* true exactly when a WARNING, or nothing, was posted last */
    bool connected_before;
    uint64_t connected_ms;       /* when the current connection was made; 0: none */
    bool insecure;               /* tls-verify=false */
    bool receives;               /* the element is a source */
    uint64_t insecure_warned_ms; /* 0: never */
};

struct notice_error {
    GQuark domain;
    int code;
};

enum notice {
    NOTICE_NONE,
    NOTICE_INFO,
    NOTICE_WARNING,
    NOTICE_ERROR,
};

void connection_notices_init(struct connection_notices *notices, bool insecure, bool receives);

/* Decides, and updates the state. now_ms: monotonic, not 0. */
enum notice connection_notices_next(struct connection_notices *notices,
                                    const struct relay_client_event *event, uint64_t now_ms);

/* True when giving up is no error: a receiver that does not reconnect, whose peer closed with 1000,
 * has had everything. */
bool connection_notices_is_clean_end(const struct connection_notices *notices,
                                     const struct relay_client_event *event);

/* True when the user must be told that this new connection is not secure. Updates the state. */
bool connection_notices_insecure_due(struct connection_notices *notices,
                                     const struct relay_client_event *event, uint64_t now_ms);

/* The GStreamer error of a fault. */
struct notice_error connection_notices_error_of(const struct connection_notices *notices,
                                                const struct relay_client_event *event);

/* Posts the element message relay-connection-state, and the messages decided above. */
void connection_notices_post(struct connection_notices *notices, GstElement *element,
                             const struct relay_client_event *event, uint64_t now_ms);
