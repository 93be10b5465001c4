/* relay status from GET /status of the access API. Main thread. */
#pragma once

#include "cli/status/settings.h"

/* Exit status of the process. */
int access_run(const struct status_settings *settings);
