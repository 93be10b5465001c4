/* Threads that join topics one after the other, each through the access API and an upgrade, and
 * leave at once or stay. In the attacker's process. */
#pragma once

#include <stdint.h>

#include "perf/load/connector.h"
#include "perf/neighbour/attack.h"
#include "perf/neighbour/attack_counts.h"

/* Joins until the monotonic time, and leaves all places. A
 * place that was refused is tried again after a while. */
void joiners_run(const struct attack *attack, const struct connector *connector,
                 struct attack_counts *counts, uint64_t end_ns);
