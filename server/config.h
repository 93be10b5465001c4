/* The options of relay serve, from a file, the environment and flags. A set is immutable: a reload
 * (server/config_reload.h) makes another one, and the old one stays. The table in config_table.c is
 * the only place that names them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/options/options.h"
#include "server/conn/address.h"

enum config_tls_min { CONFIG_TLS_1_2, CONFIG_TLS_1_3 };
enum config_ktls { CONFIG_KTLS_AUTO, CONFIG_KTLS_OFF, CONFIG_KTLS_REQUIRE };
enum config_text_utf8 { CONFIG_TEXT_UTF8_CHECK, CONFIG_TEXT_UTF8_PASS };

enum config_limits { CONFIG_OPTIONS_MAX = 80 };

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
    int tls_min; /* enum config_tls_min */
    int64_t tls_tickets;
    int ktls; /* enum config_ktls */
    char *store;
    int64_t bookings_max;
    char *trusted_proxies;
    struct address_list trusted; /* the same, parsed */
    char *cors_origins;
    int subprotocols; /* enum access_subprotocols */
    bool privacy;
    bool watch_page;
    char *bind_address;
    int64_t port_access;
    int64_t port_relay;
    int64_t workers;
    int placement; /* enum placement_mode */
    char *admin_listen;
    char *admin_hosts;
    int64_t metrics_topics;
    int64_t connections_max;
    bool buffer_size_replaced; /* it was out of range */
    int64_t buffer_size_asked;
    int64_t buffer_size;       /* messages queued for each viewer */
    int64_t queue_bytes;       /* the same in bytes */
    int64_t queue_age_ms;      /* of data; 0: no limit */
    int64_t max_age_ms;        /* of pictures; 0: no limit */
    int64_t gop_cache_bytes;   /* of each topic; 0: none */
    int64_t gop_cache_time_ms; /* from its key picture on */
    char *topic_policy;        /* hub/lag/topic_policy.h */
    int64_t exclusive_idle_ms; /* of a holder of a lease; 0: no limit */
    int64_t data_losses_max;   /* messages that a viewer may lose in a minute; 0: any number */
    int64_t message_memory_mib;
    char *publish_rate;
    int64_t codes_max;
    int64_t code_ttl_ms;
    int text_utf8; /* enum config_text_utf8 */
    int64_t handshake_timeout_ms;
    int64_t write_timeout_ms;
    int64_t ping_interval_ms;
    int64_t stats_every_ms;
    int64_t tidy_every_ms;
    int64_t drain_time_ms;
    int64_t handover_drain_ms;
    char *config_file;
    bool check_config;
    char *log_file;
    int log_format;                                 /* enum log_format */
    int log_level;                                  /* enum log_level */
    enum option_origin origins[CONFIG_OPTIONS_MAX]; /* of each option, in the order of the table */
};

/* The command line. The environment is the process's own. */
struct config_source {
    int argc;
    char **argv;
};

/* Fills a zeroed config. Values are releasable whatever is returned; OPTIONS_ERROR and
 * OPTIONS_REFUSED leave one line in error. Blocks on the file RELAY_CONFIG. */
MUST_USE enum options_result config_load(const struct config_source *source,
                                         struct server_config *config,
                                         char error[static OPTIONS_ERROR_SIZE]);

/* Checks what the command line could not: secrets from files, URLs, options that depend on one
 * another. Fills in the values that the machine decides (workers). 0, or -errno with one line in
 * error. */
MUST_USE int config_complete(struct server_config *config, char error[static OPTIONS_ERROR_SIZE]);
