/* The settings of a host, as its command line and environment give them. Plain values. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum host_publish { HOST_PUBLISH_ON_DEMAND, HOST_PUBLISH_ALWAYS };

struct host_settings {
    int64_t port;
    char *bind_address; /* NULL: all interfaces */
    char *api;          /* a WebSocket's URL, joined to the feed "api"; NULL: none */
    bool api_remote;    /* rules may be changed from other machines */
    char *rules;        /* a file or a folder of rules; NULL: none */
    char *record_dir;   /* NULL: nothing is recorded */
    char *state_dir;    /* where posted rules survive a restart; NULL: they do not */
    char *ca_file;      /* NULL: the system's store */
    int64_t queue_age_ms;
    int publish; /* enum host_publish */
    char *log_file;
    int log_level;  /* enum log_level */
    int log_format; /* enum log_format */

    /* For the command line. */
    bool status; /* show the state of the host that runs, and end */
    bool json;   /* as JSON */
};
