/* A relay spawned for one run: `PATH serve` on free loopback ports with a secret made for it, its
 * output kept so that a failure can be explained, ended by its process id. Main thread. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/attributes.h"

enum spawn_limits {
    SPAWN_SECRET_SIZE = 65,
    SPAWN_URL_SIZE = 64,
    SPAWN_PORTS = 2,
    SPAWN_ERROR_SIZE = 1024,
    SPAWN_START_MS = 10000, /* to accept connections */
    SPAWN_END_MS = 10000,   /* from SIGTERM to the end; then SIGKILL */
};

struct spawn_config {
    const char *path;
    const char *log_path; /* its output is appended there when it has ended; NULL: not kept */
    int cpu;              /* -1: any */
    int workers;          /* 0: the server's own default */
    int connections_max;  /* likewise */
    const char *tls_cert; /* NULL: plain */
    const char *tls_key;
};

struct spawned {
    pid_t pid; /* 0 while it is not running */
    int output_fd;
    const char *log_path;
    int port_fds[SPAWN_PORTS]; /* which keep the ports for it while it starts, runs or has ended */
    uint16_t port_access;
    uint16_t port_relay;
    char secret[SPAWN_SECRET_SIZE];
    char access_url[SPAWN_URL_SIZE];
    char relay_url[SPAWN_URL_SIZE];
    uint64_t ready_ns; /* from before fork until both ports accepted */
};

/* Returns 0 with both ports accepting, or -errno with a reason, the end of the server's output
 * included, in error. */
MUST_USE int spawn_start(const struct spawn_config *config, struct spawned *ret_spawned,
                         char error[static SPAWN_ERROR_SIZE]);

/* Ends it. Returns 0, or -errno with a reason in error unless it exited by itself in time with
 * status 0. Accepts one that is not running. */
MUST_USE int spawn_end(struct spawned *spawned, char error[static SPAWN_ERROR_SIZE]);
