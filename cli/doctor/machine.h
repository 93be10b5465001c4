/* Checks of the machine: kernel, io_uring, TLS in the kernel, limits, clock. Main thread only; each
 * takes milliseconds. */
#pragma once

#include <sys/resource.h>

#include "cli/doctor/findings.h"
#include "server/config.h"

void machine_check(struct findings *findings, const struct server_config *config);

/* Parts of it, with what they look at. */
void machine_check_kernel(struct findings *findings, const char *release);
void machine_check_descriptors(struct findings *findings, rlim_t limit, int64_t connections_max);
/* How a file in memory could be made: 0 or -errno; the program that is process 1 here. */
void machine_check_handover(struct findings *findings, int made, const char *first_program);
/* clock_state: of adjtimex(2). */
void machine_check_clock(struct findings *findings, int clock_state);
