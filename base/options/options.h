/* Options of a subcommand from one table: the environment, then flags (which win). The same table
 * makes --help (options_help.h), manual pages (options_manual.h) and the tables of
 * docs/operations.md (options_markdown.h), so they cannot disagree. Main thread only. */
#pragma once

#include <stdio.h>

#include "base/attributes.h"
#include "base/options/option_table.h"

enum options_result {
    OPTIONS_OK,
    OPTIONS_HELP,  /* --help was given and printed to stdout: exit 0 */
    OPTIONS_ERROR, /* a one-line reason is in `error`: print it, exit 1 */
};

/* Fills values (a zeroed struct of the caller). argv[0] is skipped. A missing required option is
 * not an error here: see options_report_missing. On OPTIONS_ERROR values is releasable. */
MUST_USE enum options_result options_parse(const struct option_table *table, int argc, char **argv,
                                           void *values, char error[static OPTIONS_ERROR_SIZE]);

/* Prints "<before>NAME<after>" once for each required option that is empty, e.g. "You must set
 * RELAY_URL", with the environment name. Returns how many were missing. */
unsigned options_report_missing(const struct option_table *table, const void *values,
                                const char *before, const char *after, FILE *out);

/* Frees texts, wipes secrets. Safe on half-filled values. */
void options_release(const struct option_table *table, void *values);
