/* Several generators at once, each a thread with topics of its own, that begin together once all of
 * their connections are made. Main thread; blocks. */
#pragma once

#include "base/attributes.h"
#include "perf/load/load.h"
#include "perf/load/load_session.h"

enum crew_limits { CREW_THREADS_MAX = 64 };

/* Like load_run, the config's topics divided among the threads; its connector is made from the
 * session. The result is of all of them: sums and one histogram, the server's usage in the window
 * of the first, and the processor time of the busiest thread. 1 ≤ threads ≤ topics. */
MUST_USE int crew_run(const struct load_config *config, const struct load_session *session,
                      unsigned threads, struct load_result *ret_result,
                      char error[static LOAD_TRANSPORT_ERROR_SIZE]);
