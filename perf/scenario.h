/* The shape of a load: topics × viewers × bytes @ rate. The letters A to F are the standard shapes
 * for comparing results. Values only, no state; any thread. */
#pragma once

#include <stddef.h>

#include "base/attributes.h"

enum scenario_limits {
    SCENARIO_NAME_SIZE = 16,
    SCENARIO_TEXT_SIZE = 64,
    SCENARIO_TOPICS_MAX = 10000,
    SCENARIO_VIEWERS_MAX = 100000,
    SCENARIO_BYTES_MIN = 24, /* room for the stamp */
    SCENARIO_BYTES_MAX = 10 * 1024 * 1024,
    SCENARIO_RATE_MAX = 100000,
    SCENARIO_LIST_MAX = 32,
};

struct scenario {
    char name[SCENARIO_NAME_SIZE];
    unsigned topics;
    unsigned viewers; /* of each topic */
    size_t bytes;     /* of one message's payload */
    unsigned rate;    /* messages per second and topic; 0: connections stay idle */
};

struct scenario_list {
    struct scenario items[SCENARIO_LIST_MAX];
    unsigned count;
};

/* "A", "A-F", "A,C,E-F", any case; repetitions are kept. -EINVAL for anything else, -E2BIG for more
 * than fit. */
MUST_USE int scenario_list_parse(const char *text, struct scenario_list *ret_list);

/* The scenario with each of these numbers of viewers, "1,10,100", and named after them: "x10". Like
 * scenario_list_parse. */
MUST_USE int scenario_list_of_viewers(const struct scenario *scenario, const char *viewers,
                                      struct scenario_list *ret_list);

/* "20x2x4096@100" */
void scenario_text(const struct scenario *scenario, char text[static SCENARIO_TEXT_SIZE]);

/* Connections of one run: a publisher (where there is a rate) and the viewers of each topic. */
size_t scenario_connections(const struct scenario *scenario);
