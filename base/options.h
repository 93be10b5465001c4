/* Options of a subcommand from one table: the environment, then flags (which win). The same table
 * makes --help and the tables of docs/operations.md, so they cannot disagree. Main thread only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/attributes.h"

enum option_type {
    OPTION_TEXT,       /* char *, owned by the values */
    OPTION_SECRET,     /* char *, never shown; wiped by options_release */
    OPTION_BOOLEAN,    /* bool: true/false, 1/0, yes/no, on/off */
    OPTION_GO_BOOLEAN, /* the same as a flag; in the environment Go's 1, t, T, TRUE, true and True,
                          all else is false: for variables that practable/relay has */
    OPTION_INTEGER,    /* int64_t within min…max */
    OPTION_DURATION,   /* int64_t milliseconds within min…max; Go syntax: 1h30m, 500ms */
};

struct option_spec {
    const char *env;  /* "RELAY_PORT_ACCESS"; the flag is --port-access by flag */
    const char *flag; /* "port-access" */
    enum option_type type;
    size_t offset;            /* of the member in the values struct */
    const char *default_text; /* NULL: none */
    bool required;
    int64_t min, max; /* OPTION_INTEGER, OPTION_DURATION (ms) */
    const char *help; /* one sentence; units named */
};

struct option_table {
    const char *command;  /* "relay serve" */
    const char *synopsis; /* one line under the usage line */
    const struct option_spec *specs;
    size_t specs_count;
};

enum options_result {
    OPTIONS_OK,
    OPTIONS_HELP,  /* --help was given and printed to stdout: exit 0 */
    OPTIONS_ERROR, /* a one-line reason is in `error`: print it, exit 1 */
};

enum options_sizes { OPTIONS_ERROR_SIZE = 512 };

/* Fills values (a zeroed struct of the caller). argv[0] is skipped. A missing required option is
 * not an error here: see options_report_missing. On OPTIONS_ERROR values is releasable. */
MUST_USE enum options_result options_parse(const struct option_table *table, int argc, char **argv,
                                           void *values, char error[static OPTIONS_ERROR_SIZE]);

/* Prints "<verb-format>" once for each required option that is empty, e.g. "You must set %s\n" with
 * the environment name. Returns how many were missing. */
unsigned options_report_missing(const struct option_table *table, const void *values,
                                const char *before, const char *after, FILE *out);

/* Frees texts, wipes secrets. Safe on half-filled values. */
void options_release(const struct option_table *table, void *values);

void options_print_help(const struct option_table *table, FILE *out);

/* A page for man(1), section 1, in roff. */
void options_print_manual(const struct option_table *table, const char *version, FILE *out);

/* A Markdown table, for docs/operations.md. */
void options_print_markdown(const struct option_table *table, FILE *out);

/* Go's time.ParseDuration for non-negative values, in ms. -EINVAL on anything else. */
MUST_USE int duration_parse(const char *text, int64_t *ret_ms);
MUST_USE int duration_parse_ns(const char *text, int64_t *ret_ns);

/* Reads a small secret file: whole content less trailing newlines, at most 64 KiB. On success
 * *ret_text is malloc'ed and to be wiped and freed. -errno otherwise: -EFBIG when it is longer,
 * -EINVAL when it holds a NUL. Blocks on the file. */
MUST_USE int secret_file_read(const char *path, char **ret_text);

/* The same for a file that holds one secret. What nobody sees in an editor would be a part of it:
 * -EILSEQ when a byte order mark stands in front, -EBADMSG when blanks stand around it. */
MUST_USE int secret_file_read_one(const char *path, char **ret_text);

/* Why one of the two failed, with the cure where there is one. */
const char *secret_file_reason(int failed);
