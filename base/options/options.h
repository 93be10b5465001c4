/* Options of a subcommand from one table: a file of settings where there is one, then the
 * environment, then flags; the later one wins. The same table
 * makes --help (options_help.h), manual pages (options_manual.h) and the tables of
 * docs/operations.md (options_markdown.h), so they cannot disagree. Main thread only. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/attributes.h"
#include "base/options/option_file.h"
#include "base/options/option_table.h"

enum options_result {
    OPTIONS_OK,
    OPTIONS_HELP,    /* --help was given and printed to stdout: exit 0 */
    OPTIONS_ERROR,   /* a one-line reason is in `error`: print it, exit 1 */
    OPTIONS_REFUSED, /* the same for a choice that there is not; the reason lists those there are */
};

/* Fills values (a zeroed struct of the caller). argv[0] is skipped. A missing required option is
 * not an error here: see options_report_missing. Values are releasable whatever is returned. */
MUST_USE enum options_result options_parse(const struct option_table *table, int argc, char **argv,
                                           void *values, char error[static OPTIONS_ERROR_SIZE]);

/* Where a value comes from: the later one wins. */
enum option_origin {
    OPTION_ORIGIN_DEFAULT,
    OPTION_ORIGIN_FILE,
    OPTION_ORIGIN_ENVIRONMENT,
    OPTION_ORIGIN_FLAG,
};

struct option_sources {
    const struct option_file *file; /* NULL: none. A name that is no option is a fault. */
    const char *file_path;          /* of it, for the fault */
    enum option_origin *origins;    /* filled for each option of the table, or NULL */
};

/* options_parse with a file, and with the origin of each value. */
MUST_USE enum options_result options_parse_sources(const struct option_table *table, int argc,
                                                   char **argv, const struct option_sources *from,
                                                   void *values,
                                                   char error[static OPTIONS_ERROR_SIZE]);

/* The text of one option before all others are parsed, from its flag or the environment; NULL: it
 * is not given. */
const char *options_text_given(const struct option_spec *spec, int argc, char **argv);

/* options_parse for a command that only needs to know whether to go on: a reason is printed to
 * stderr, behind the name of the table's command. False: exit with *ret_status, which is 0 after
 * --help and 1 after an error. Values are releasable whatever is returned. */
MUST_USE bool options_read(const struct option_table *table, int argc, char **argv, void *values,
                           int *ret_status);

/* Prints "<before>NAME<after>" once for each required option that is empty, e.g. "You must set
 * RELAY_URL", with the environment name. Returns how many were missing. */
unsigned options_report_missing(const struct option_table *table, const void *values,
                                const char *before, const char *after, FILE *out);

/* Frees texts, wipes secrets. Safe on half-filled values. */
void options_release(const struct option_table *table, void *values);
