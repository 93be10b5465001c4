/* A stream_probe (wire/media/stream_probe.h) as it lies in memory, for another program on the same
 * machine: it goes on where the first one stopped, if its probes have the same layout. Pure; any
 * thread. */
#pragma once

#include <stdbool.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "wire/media/stream_probe.h"

enum probe_state_layout {
    PROBE_STATE_LAYOUT = 1, /* one more with each change of struct stream_probe or its members */
};

/* The same bytes as a probe. False: it is none that a publisher could have made, and *ret_probe is
 * untouched. */
MUST_USE bool probe_state_read(struct bytes bytes, struct stream_probe *ret_probe);
