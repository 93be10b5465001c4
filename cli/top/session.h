/* relay top on a terminal: looks, draws, obeys keys. Main thread. */
#pragma once

#include "cli/top/admin/admin_address.h"
#include "cli/top/settings.h"

/* Exit status of the process. */
int session_run(const struct top_settings *settings, const struct admin_address *address);
