/* relay host: the experiment's side of a relay. Cameras and programs of this machine meet on feeds,
 * rules say which feed goes to which relay. One thread for the local side; each destination's
 * connection has one of its own. Main thread only. */
#pragma once

#include "host/settings.h"

enum host_times {
    HOST_STOP_MS = 900, /* for the Close of all connections */
};

enum host_sizes { HOST_THREAD_STACK_BYTES = 1024 * 1024 };

/* Runs until SIGTERM or SIGINT; SIGHUP reads the rules again and reopens the log. The exit status
 * of the process. */
int host_run(const struct host_settings *settings);
