/* relay host --status: asks the host of this machine for its state and shows it. Main thread;
 * blocks on the network, at most five seconds. */
#pragma once

#include <stdio.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "host/settings.h"

/* Prints to standard output. The exit status of the process: 1, with a line on standard error, when
 * no host answers. */
MUST_USE int state_show(const struct host_settings *settings);

/* Writes a report of the host (host/host_report.h) as tables. -EINVAL: it is none. */
MUST_USE int state_write(FILE *out, struct bytes report);
