/* All rounds of one attack at one target in a few figures: median, smallest and largest of each.
 * Pure; any thread. */
#pragma once

#include <stdbool.h>

#include "perf/comparison.h"
#include "perf/neighbour/encounters.h"

enum encounter_figure {
    ENCOUNTER_ALONE_LOST_PERCENT,
    ENCOUNTER_ALONE_P50_MS,
    ENCOUNTER_ALONE_P99_MS,
    ENCOUNTER_BESIDE_LOST_PERCENT,
    ENCOUNTER_BESIDE_P50_MS,
    ENCOUNTER_BESIDE_P99_MS,
    ENCOUNTER_BESIDE_MAX_MS,
    ENCOUNTER_P99_RATIO, /* beside ÷ alone, of the same round */
    ENCOUNTER_JOIN_MS,   /* the visitor's worst beside the attack */
    ENCOUNTER_STATUS_MS, /* likewise */
    ENCOUNTER_DENY_MS,   /* likewise */
    ENCOUNTER_FIGURES_COUNT,
};

/* As programs call it: "beside_p99_ms". */
const char *encounter_summary_text(enum encounter_figure figure);

struct encounter_summary {
    const struct attack *attack;
    enum target target;
    unsigned rounds; /* that have figures */
    unsigned failed; /* that have none */

    struct {
        unsigned rounds; /* that have this one: none without a picture, or a visit that succeeded */
        struct spread spread; /* zeroed without */
    } figures[ENCOUNTER_FIGURES_COUNT];
};

/* Takes the encounters with the attack and target of the one that has the index, which is the
 * first of them: otherwise, and if there is only one, it returns false and leaves *ret_summary
 * untouched. Allocates nothing; looks at COMPARISON_ROUNDS_MAX rounds at most. */
bool encounter_summary_make(const struct encounters *encounters, unsigned index,
                            struct encounter_summary *ret_summary);
