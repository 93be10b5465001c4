/* The program that follows this one: the file from which this one was started, as it is now. Main
 * thread only; blocks for as long as `wait` says. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/attributes.h"
#include "server/handover/handover_wait.h"

enum handover_program_limits {
    HANDOVER_PATH_SIZE = 4096,
    HANDOVER_SAID_SIZE = 400, /* what it says of its options */
    HANDOVER_ARGUMENTS_MAX = 512,
    HANDOVER_VARIABLES_MAX = 4096,
};

struct handover_program {
    char path[HANDOVER_PATH_SIZE]; /* "": it is not known */
    dev_t device;                  /* of the file that runs */
    ino_t inode;
    int argc; /* of the command, which is argv[0]; argv stays the caller's */
    char **argv;
};

/* At the start, before the file is replaced. */
void handover_program_init(struct handover_program *program, int argc, char **argv);

/* Another file stands where it was. */
bool handover_program_is_changed(const struct handover_program *program);

/* Has it check its options. 0; -EINVAL: it refuses them, and what it says is in said; another
 * -errno. */
MUST_USE int handover_program_check(const struct handover_program *program,
                                    const struct handover_wait *wait,
                                    char said[static HANDOVER_SAID_SIZE]);

/* Starts it with that descriptor as its end of the channel, and the variables in addition
 * ("NAME=value", up to NULL). 0 or -errno. */
MUST_USE int handover_program_start(const struct handover_program *program, int channel_fd,
                                    char *const *variables, pid_t *ret_pid);

/* Kills it, if it still is there, and waits for its end. */
void handover_program_end(pid_t pid);
