/* Findings of relay doctor, one for each check, with the cure of what is wrong. Printed as
 * it is found. Main thread only. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

enum findings_limits { FINDING_TEXT_SIZE = 768 };

enum finding_state {
    FINDING_OK,
    FINDING_WARNING, /* it works, but not as well as it could */
    FINDING_FAULT,   /* it does not work */
};

struct findings {
    FILE *out;
    bool is_json;
    unsigned count, warnings, faults;
};

void findings_begin(struct findings *findings, FILE *out, bool is_json);

/* check: a short name that never changes ("io_uring"); cure: what to do, or NULL. */
__attribute__((format(printf, 5, 6))) void findings_add(struct findings *findings,
                                                        const char *check, enum finding_state state,
                                                        const char *cure, const char *format, ...);

/* The sum in words, or the end of the JSON. Returns the exit status: 0 without faults, else 1. */
int findings_end(struct findings *findings);
