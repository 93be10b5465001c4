/* The options of relay serve: read once from environment and flags, immutable while the server
 * runs. The table in config.c is the only place that names them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/options/options.h"

struct server_config {
    char *audience;
    char *url;
    char *secret;
    char *secret_file;
    char *secrets_file;
    char *public_keys;
    char *hmac_algorithms;
    bool allow_no_booking_id;
    char *tls_cert; /* empty: plain TCP */
    char *tls_key;
    char *tls_min;
    int64_t tls_tickets;
    char *ktls;
    char *store;
    int64_t bookings_max;
    char *trusted_proxies;
    char *cors_origins;
    char *subprotocols; /* null, first or none */
    bool privacy;
    char *bind_address;
    int64_t port_access;
    int64_t port_relay;
    int64_t workers;
    int64_t connections_max;
    bool buffer_size_replaced; /* it was out of range */
    int64_t buffer_size_asked;
    int64_t buffer_size;  /* messages queued for each viewer */
    int64_t queue_bytes;  /* the same in bytes */
    int64_t queue_age_ms; /* 0: no limit */
    int64_t message_memory_mib;
    int64_t codes_max;
    int64_t code_ttl_ms;
    char *text_utf8;
    bool text_is_checked; /* from text_utf8 */
    int64_t handshake_timeout_ms;
    int64_t write_timeout_ms;
    int64_t ping_interval_ms;
    int64_t stats_every_ms;
    int64_t tidy_every_ms;
    char *log_file;
    char *log_format;
    char *log_level;
};

extern const struct option_table serve_option_table;

/* Checks what the command line could not: secrets from files, names of levels and formats, bounds
 * that depend on one another. Fills in the values that the machine decides (workers). 0, or -errno
 * with one line in error. */
MUST_USE int config_complete(struct server_config *config, char error[static OPTIONS_ERROR_SIZE]);
