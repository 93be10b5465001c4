/* RELAY_TOPIC_POLICY: what the messages of a topic are, where the operator knows better than the
 * relay recognises. Rows of a pattern and a policy, the first that fits counts. Immutable after
 * parsing; any thread. */
#pragma once

#include <stdbool.h>

#include "base/attributes.h"

enum topic_policy_limits { TOPIC_POLICIES_MAX = 64, TOPIC_PATTERN_SIZE = 256 };

enum topic_policy {
    TOPIC_POLICY_AUTO,   /* each message is what it is recognised as */
    TOPIC_POLICY_VIDEO,  /* the same, and a stream is looked for in every message */
    TOPIC_POLICY_LATEST, /* of use is only the last message */
    TOPIC_POLICY_DATA,   /* nothing is recognised */
};

struct topic_policies {
    unsigned count;
    struct topic_policy_row {
        char pattern[TOPIC_PATTERN_SIZE]; /* of the shell: * ? [] */
        enum topic_policy policy;
        bool is_exclusive;
    } rows[TOPIC_POLICIES_MAX];
};

/* "pend*-video=video,state-?=latest,arm=data+exclusive"; "" is none. 0, or -EINVAL with
 * ret_policies untouched. */
MUST_USE int topic_policy_parse(const char *text, struct topic_policies *ret_policies);

/* policies may be NULL. */
enum topic_policy topic_policy_find(const struct topic_policies *policies, const char *topic);

/* Whether at most one booking at a time may publish (hub/v1/lease.h). */
bool topic_policy_is_exclusive(const struct topic_policies *policies, const char *topic);
