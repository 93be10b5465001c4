/* How a viewer is treated when it lags: what it asked for, where each of its transport streams
 * stands, and what it has lost. Part of struct subscriber; owner worker only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "server/hub/lag/leading.h"

enum lag_limits {
    LAG_STREAMS_MAX = 2, /* publishers of a topic that are told apart; of more the oldest is not */
};

/* GStreamer's multihandlesink has the same names. */
enum lag_recovery {
    LAG_RECOVER_KEYFRAME, /* it goes on at a key picture: nothing that it decodes is broken */
    LAG_RECOVER_LATEST,   /* with the newest message, whatever that is */
    LAG_RECOVER_NONE,     /* it loses its oldest messages one by one */
};

/* The ways to lose messages; each is counted. */
enum lag_policy {
    LAG_POLICY_DATA,   /* the oldest */
    LAG_POLICY_VIDEO,  /* all up to a key picture */
    LAG_POLICY_LATEST, /* all but the newest */
    LAG_POLICY_COUNT,
    LAG_POLICY_NONE = LAG_POLICY_COUNT, /* nothing: frames of the protocol */
};

struct lag_stream {
    uint32_t id; /* struct message.stream; 0: unused */
    enum lag_stream_state {
        LAG_STREAM_LIVE,       /* it gets everything */
        LAG_STREAM_ENDING,     /* only the rest of a picture that was begun */
        LAG_STREAM_AWAITS_KEY, /* nothing until a key picture */
    } state;
    enum leading leading; /* behind the key picture that it started at */
    bool has_keys;        /* the viewer got one: others will come */
    uint64_t cut_ms;      /* when it began to wait for one, or began at one */
};

struct lag {
    enum lag_recovery recovery;
    uint32_t age_ms_max; /* that it asked for; 0: the operator's */
    uint64_t dropped[LAG_POLICY_COUNT];
    struct lag_stream streams[LAG_STREAMS_MAX];
    uint32_t behind_ms;  /* its decoder's delay, as far as it is beyond what pictures may wait */
    uint64_t skipped_ms; /* when it skipped last: a report of what it got before comes too late */
    uint64_t begins_until_ms; /* what it begins with may take until then, or until all is taken */
    uint8_t stream_next;      /* that the next unknown one replaces */
};
