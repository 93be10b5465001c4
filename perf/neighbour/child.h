/* A process beside the generator: an attacker, or a visitor. It says when it is ready, waits until
 * it is told to go, and is ended by its process id; it ends with its parent in any case. Main
 * thread. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/attributes.h"

struct child {
    pid_t pid; /* 0 while it is not running */
    int fd;    /* the parent's end: one byte each way */
};

/* The work of a child. fd is for child_ready_and_wait. The process ends when it returns. */
typedef void child_main(int fd, void *ctx);

/* Forks it, tied to the CPU (-1: any) and nicer than its parent by so much. -errno. */
MUST_USE int child_start(struct child *child, int cpu, int niceness, child_main *main, void *ctx);

/* In the child: says that it is ready, and returns when it is to go. */
void child_ready_and_wait(int fd);

/* Waits until it is ready: 0; -ECHILD when it has ended instead, -ETIMEDOUT. */
MUST_USE int child_wait_ready(const struct child *child, int timeout_ms);

/* Does not block. */
void child_go(const struct child *child);

/* Kills and reaps it. Accepts a zeroed child. */
void child_end(struct child *child);

/* Zeroed memory that a child shares with its parent; NULL when there is none. */
void *child_memory_create(size_t size);
void child_memory_destroy(void *memory, size_t size);
