/* The server as a whole: start-up and shutdown of its parts in order. */
#pragma once

#include "server/config.h"

enum server_limits {
    STOP_ALARM_S = 5, /* of a stop: the process ends then, whatever holds a worker up */
};

/* Runs until SIGTERM or SIGINT. config is complete, was loaded from source, and both stay the
 * caller's. Returns the exit status:
 * 0 after a clean stop; 1, with one line on stderr, when it could not start. Call from the main
 * thread of a process without other threads. */
int server_run(const struct server_config *config, const struct config_source *source);

/* Checks what server_run would find before it opens anything: options, keys, certificates. 0, or 1
 * with one line on stderr. */
int server_check(const struct server_config *config);
