/* The server as a whole: start-up and shutdown of its parts in order. */
#pragma once

#include "server/config.h"

/* Runs until SIGTERM or SIGINT. config is complete and stays the caller's. Returns the exit status:
 * 0 after a clean stop; 1, with one line on stderr, when it could not start. Call from the main
 * thread of a process without other threads. */
int server_run(const struct server_config *config);
