/* The attacks, each a row of one table: how many connections of which sort, what they send and how
 * fast, and whether they read. Values only; any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "perf/load/load_session.h"
#include "perf/neighbour/payload.h"

enum attack_limits {
    ATTACK_LIST_MAX = 32,
    ATTACK_PERCENT_MAX = 1000,
};

enum attack_entry {
    ATTACK_TCP,     /* TCP to the access port, whatever is spoken there */
    ATTACK_HTTP,    /* the same, with TLS where the server has it */
    ATTACK_MEMBERS, /* publishers that have joined topics with a token before the attack */
    ATTACK_JOINERS, /* threads that join, and leave or stay */
};

struct attack {
    const char *name;
    const char *help;
    bool needs_tls;
    enum attack_entry entry;
    unsigned connections; /* at a time at most; of joiners: threads */
    unsigned opens_per_s; /* at most, those included that replace cut ones */
    bool is_recycled;     /* the oldest makes room when all are open: the rate is kept */
    bool ends_at_answer;  /* a connection is reset once the server has answered */
    bool reads;           /* otherwise answers stay in the kernel */
    bool stays;           /* joiners keep their places */
    bool comes_first;     /* the camera joins when it is under way */
    unsigned topics;      /* of members; 0: each has its own */
    unsigned viewers;     /* of the first topic, which read */
    unsigned places;      /* of the server, RELAY_CONNECTIONS_MAX; 0: its own default */

    /* Made once; NULL: nothing is sent. -errno. */
    int (*payload)(const struct load_session *session, struct payload *ret_payload);
    size_t slice_bytes;   /* sent at once, of the payload that repeats; 0: all of it */
    unsigned interval_ms; /* between slices; 0: as fast as the server takes them */
    unsigned slices;      /* then it is silent; 0: without end */
    unsigned tail;        /* one of so many, the last ones, begin with the second slice */
};

struct attack_list {
    const struct attack *items[ATTACK_LIST_MAX];
    unsigned count;
    bool is_all; /* named so: what this server does not offer is left out */
};

/* The table, for help texts. NULL behind the last. */
const struct attack *attack_at(unsigned index);

/* "tiny", "tiny,joins" or "all". -EINVAL for an unknown name or none, -E2BIG for too many. */
MUST_USE int attack_list_parse(const char *text, struct attack_list *ret_list);

/* The same at so many percent of its connections and rate, at least one each. */
struct attack attack_scaled(const struct attack *attack, unsigned percent);
