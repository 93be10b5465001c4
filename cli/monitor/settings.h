/* The options of relay monitor. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct monitor_settings {
    char *audience;
    char *secret;
    char *secret_file;
    char *topic;
    char *ca_file;
    bool insecure;
    bool allow_plain; /* no option: the audience is http:// */
    int64_t interval_ms;
    int64_t threshold_ms;
    int64_t trigger_after_misses;
    int64_t no_retrigger_within_ms;
    int64_t reconnect_every_ms;
    char *command;
    int log_level;  /* enum log_level */
    int log_format; /* enum log_format */
    char *log_file;
};
