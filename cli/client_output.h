/* The output of `relay client file` and `relay client pipe`: a file or standard output, written to
 * by the client's thread. A write to a full pipe blocks, but ends when the output is cancelled. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"

struct client_output {
    const char *path; /* NULL: standard output */
    int fd;
    int cancel_fd; /* eventfd: readable once cancelled */
    bool waits;    /* not a regular file: a write may block */
    pthread_mutex_t mutex;
    atomic_bool reopen_wanted;
};

/* 0 or -errno. path NULL, empty or "-": standard output. */
MUST_USE int client_output_open(struct client_output *output, const char *path);
void client_output_close(struct client_output *output);

/* Writes everything: 0, -ECANCELED, or -errno. */
MUST_USE int client_output_write(struct client_output *output, const void *data, size_t len);

/* Reopens the path between two writes; the old file stays in use when that fails. 0 or -errno; 0
 * also during a write, which then reopens at its end. */
MUST_USE int client_output_reopen(struct client_output *output);

/* Makes current and later writes return. Any thread. */
void client_output_cancel(struct client_output *output);
