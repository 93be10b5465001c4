/* The remedy of relay monitor for a relay that is considered down: a command, or killing every
 * `relay serve` of this machine. No shell is involved. One thread. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/attributes.h"

enum remedy_limits {
    REMEDY_BYTES_MAX = 64 * 1024, /* of the command, variables expanded */
    REMEDY_WORDS_MAX = 256,
};

struct remedy {
    char *text; /* the words point into it */
    char *words[REMEDY_WORDS_MAX + 1];
    size_t words_count; /* 0: the command was empty */
};

/* Replaces $NAME and ${NAME} by the environment's values (nothing when unset), then splits at white
 * space; quotes have no meaning. NULL is empty. 0, -E2BIG (beyond remedy_limits) or -ENOMEM. */
MUST_USE int remedy_init(struct remedy *remedy, const char *command);
void remedy_deinit(struct remedy *remedy);

/* Starts the command, found by PATH, in a process group of its own, with no signal blocked or
 * ignored. The caller waits for *ret_pid. 0 or -errno. */
MUST_USE int remedy_run(const struct remedy *remedy, pid_t *ret_pid);

/* SIGKILL for each process below proc (/proc) whose first argument is relay, or ends in /relay, and
 * whose second is serve. Returns how many were signalled; *ret_failed counts the failures. */
unsigned remedy_kill_relays(const char *proc, unsigned *ret_failed);
