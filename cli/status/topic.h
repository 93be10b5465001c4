/* relay status from the relay's topic "stats". Main thread. */
#pragma once

#include "cli/status/settings.h"

/* Exit status of the process. */
int topic_run(const struct status_settings *settings);
