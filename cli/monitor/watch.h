/* The main loop of relay monitor: sends, keeps time, judges, acts, until SIGINT or SIGTERM. Main
 * thread; the process's log is open. */
#pragma once

#include "cli/monitor/settings.h"

/* Exit status of the process. Errors at the start go to standard error. */
int watch_run(const struct monitor_settings *settings);
