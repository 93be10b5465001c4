/* The raw floor: the minimum work of any server of the same shape. A child process that takes whole
 * messages with blocking recv() and sends the same bytes to each viewer of the topic with blocking
 * send(), one after the other. It knows the message size beforehand, parses nothing, queues nothing
 * and waits with epoll only if there is more than one publisher. Messages travel as unmasked
 * WebSocket frames (the header is the length prefix), so viewers read the same bytes as from a
 * relay. Main thread. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/attributes.h"
#include "perf/load/connector.h"
#include "perf/scenario.h"

struct floor {
    pid_t pid; /* 0 while it is not running */
    uint16_t port;
};

/* Forks the child, tied to the CPU (-1: any). It serves one run: it ends when the publishers have
 * gone. -errno. */
MUST_USE int floor_start(struct floor *floor, const struct scenario *scenario, int cpu);

struct connector floor_connector(struct floor *floor);

/* Ends the child if it has not ended yet. Accepts a zeroed floor. */
void floor_end(struct floor *floor);
