/* The options of a client, checked, copied and with defaults filled in. Immutable after creation,
 * so any thread may read. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "client/queue/hold.h"
#include "client/queue/inbox.h"
#include "client/queue/ring.h"
#include "client/relay_client.h"
#include "wire/address/url.h"

/* Settings that may change while the client runs; the client then has its own copy. */
struct settings_timing {
    bool no_reconnect;
    uint64_t retries_max; /* 0: no limit */
    uint32_t reconnect_delay_ms;
    uint32_t reconnect_delay_max_ms;
    bool reconnect_steadily;
    uint32_t connect_timeout_ms;
    uint32_t stall_timeout_ms;
    uint32_t ping_interval_ms; /* 0: no pings */
};

struct settings {
    struct url location;
    char *ca_file; /* NULL: the system's store */
    char *proxy;   /* wiped at the end; NULL: what the environment names */
    char *user_agent;
    bool insecure;
    bool allow_plain;
    bool queue_while_disconnected;
    bool relay_v1;
    uint64_t hold_age_max_ns; /* 0: nothing is kept */
    struct settings_timing timing;
    struct ring_limits ring;
    struct inbox_limits inbox; /* bytes_max 0: received messages go to the callback */
};

/* 0, or -errno with one line in error. */
MUST_USE int settings_init(struct settings *settings, const struct relay_client_options *options,
                           char error[static RELAY_CLIENT_ERROR_SIZE]);

/* The settings of the options, with defaults filled in. */
struct settings_timing settings_timing_of(const struct relay_client_options *options);
struct ring_limits settings_ring_limits(enum relay_client_drop drop, uint64_t queue_bytes_max,
                                        uint64_t queue_age_max_ms, uint32_t queue_messages_max);
struct hold_limits settings_hold_limits(uint64_t hold_age_max_ns, const struct ring_limits *ring);
struct inbox_limits settings_inbox_limits(uint64_t receive_queue_bytes_max,
                                          uint64_t receive_age_max_ms);
void settings_deinit(struct settings *settings);

/* True when plain text is allowed: the host is this machine, or the user opted in. */
bool settings_allow_plain(const struct settings *settings, const struct url *url);
