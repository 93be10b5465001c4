/* All destinations, sorted by id: each a rule, its place on a feed, and its connection. Host's
 * thread only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "host/destination/link.h"
#include "host/feed/feed.h"
#include "host/loop/loop.h"
#include "host/rules/rule.h"

enum destinations_limits { DESTINATIONS_MAX = 1024 };

/* The rule of VW_API: its feed's messages are commands. */
#define DESTINATIONS_API_RULE "apiRule"

struct destination {
    struct rule rule;
    struct feed_member member;
    struct link *link; /* NULL: the rule cannot be dialled */
    int record_fd;     /* -1: none */
};

/* Borrowed texts that outlive it. */
struct destinations_settings {
    const char *record_folder; /* NULL: nothing is recorded */
    const char *ca_file;       /* NULL: the system's store */
    uint64_t queue_age_max_ms;
    bool on_demand; /* no video is sent to a relay that says there are no viewers */
};

struct destinations {
    struct destinations_settings settings;
    struct feed_table *feeds;
    struct loop *loop;
    struct link_group links;
    struct loop_watch wake;
    struct destination **all;
    size_t count;
};

/* 0 or -errno. */
MUST_USE int destinations_init(struct destinations *destinations, struct loop *loop,
                               struct feed_table *feeds,
                               const struct destinations_settings *settings);

/* Closes all with 1001, and waits for that at most timeout_ms. False: a connection hangs in its
 * end, and still uses *destinations. */
MUST_USE bool destinations_deinit(struct destinations *destinations, uint32_t timeout_ms);

/* Takes over the rule, in place of one of that id: its connection ends with 1000, unless the rule
 * is the same and it is connected. False: no room, and the rule is released. */
bool destinations_put(struct destinations *destinations, struct rule *rule);

/* NULL: none. */
const struct destination *destinations_find(const struct destinations *destinations,
                                            const char *id);

/* Close 1000. Harmless when there is none of that id. */
void destinations_remove(struct destinations *destinations, const char *id);

/* Those that came from a file, for which keeps is false. */
void destinations_remove_listed(struct destinations *destinations,
                                bool (*keeps)(const void *context, const char *id),
                                const void *context);
