/* relay top for scripts and pipes: one report, or one after another. Main thread; blocks. */
#pragma once

#include "cli/top/admin/admin_address.h"
#include "cli/top/settings.h"

/* Looks twice, so that it has rates, and prints a table or one line of JSON; without once, goes on.
 * Exit status of the process: 1 when there was no report, or it could not be written. */
int report_run(const struct top_settings *settings, const struct admin_address *address);
