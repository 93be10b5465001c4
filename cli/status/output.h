/* Reports as text, and text on standard output. */
#pragma once

#include <stdbool.h>

#include "base/attributes.h"
#include "cli/status/settings.h"
#include "client/relay_status.h"

/* The table, or with settings->json one line of JSON. malloc'ed; NULL when out of memory. Any
 * thread. */
MUST_USE char *output_render(const struct status_settings *settings,
                             const struct relay_status_reports *reports);

/* Writes text, after clearing the terminal when it follows another table. False, after one line on
 * standard error, when it cannot be written. Main thread; may block on the reader. */
MUST_USE bool output_print(const struct status_settings *settings, const char *text);
