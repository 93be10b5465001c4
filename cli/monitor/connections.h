/* The two connections of relay monitor to one topic, and their tokens. Main thread, except the
 * callback. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "cli/monitor/settings.h"
#include "client/relay_client.h"
#include "token/token.h"

/* A message of the topic, on the thread of the receiving client; empty when it is not binary. */
typedef void connections_on_message(struct bytes message, void *context);

struct connections {
    const struct monitor_settings *settings;
    struct token_keys *keys;
    char *location;
    struct relay_client *tx, *rx;
    connections_on_message *on_message;
    void *context;
    atomic_bool tx_refused, rx_refused; /* the last attempt of each */
};

/* False, after one line on standard error, when the settings are invalid. Release with deinit in
 * either case. settings must outlive it; it must not move in memory. */
MUST_USE bool connections_init(struct connections *connections,
                               const struct monitor_settings *settings,
                               connections_on_message *on_message, void *context);
void connections_deinit(struct connections *connections);

/* 0 or -errno. */
MUST_USE int connections_start(struct connections *connections);
void connections_stop(struct connections *connections);

/* Replaces both connections, with new tokens. False: try again later. */
MUST_USE bool connections_renew(struct connections *connections);

/* Sends on the sending connection; like relay_client_send. */
MUST_USE int connections_send(struct connections *connections, struct bytes message);

/* A relay answered the last attempt of either with HTTP 4xx: it is up, but refuses this monitor
 * (another secret or audience, a denied booking). */
bool connections_are_refused(const struct connections *connections);
