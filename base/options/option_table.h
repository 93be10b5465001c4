/* A subcommand's options, as one table: where each value goes, its bounds, default and help.
 * Constant data, any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/options/option_choices.h"

enum option_type {
    OPTION_TEXT,       /* char *, owned by the values */
    OPTION_SECRET,     /* char *, never shown; wiped by options_release */
    OPTION_BOOLEAN,    /* bool: true/false, 1/0, yes/no, on/off */
    OPTION_GO_BOOLEAN, /* the same as a flag; in the environment Go's 1, t, T, TRUE, true and True,
                          all else is false: for variables that practable/relay has */
    OPTION_INTEGER,    /* int64_t within min…max */
    OPTION_DURATION,   /* int64_t milliseconds within min…max; Go syntax: 1h30m, 500ms */
    OPTION_CHOICE,     /* int, the value of one of the choices */
};

struct option_spec {
    const char *env;  /* "RELAY_PORT_ACCESS"; the flag is --port-access by flag */
    const char *flag; /* "port-access" */
    enum option_type type;
    size_t offset;            /* of the member in the values struct */
    const char *default_text; /* NULL: none */
    bool required;
    int64_t min, max;                     /* OPTION_INTEGER, OPTION_DURATION (ms) */
    const struct option_choices *choices; /* OPTION_CHOICE */
    const char *help;                     /* one sentence; units named */
};

struct option_table {
    const char *command;  /* "relay serve" */
    const char *summary;  /* a few words, for lists: "run the relay" */
    const char *synopsis; /* one line under the usage line */
    const struct option_spec *specs;
    size_t specs_count;
};

enum options_sizes { OPTIONS_ERROR_SIZE = 512, OPTION_CHOICES_SIZE = 256 };
