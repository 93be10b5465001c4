/* The rules of all streams, sorted by name, and their effect: the members of a stream hear each of
 * its feeds. Host's thread only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "host/feed/feed.h"
#include "host/rules/stream_rule.h"

enum streams_limits { STREAMS_RULES_MAX = 256 };

struct streams {
    struct feed_table feeds; /* first in the struct: the feeds of the host, which call back */
    struct stream_rule *rules;
    size_t count;
};

/* Its feeds are then to be used. */
void streams_init(struct streams *streams);
void streams_deinit(struct streams *streams);

/* Takes over the rule, in place of one of that name. False: no room, and the rule is released. */
bool streams_put(struct streams *streams, struct stream_rule *rule);

/* NULL: none. */
const struct stream_rule *streams_find(const struct streams *streams, const char *name);

/* Harmless when there is none of that name. */
void streams_remove(struct streams *streams, const char *name);
void streams_remove_all(struct streams *streams);

/* Those that came from a file, for which keeps is false. */
void streams_remove_listed(struct streams *streams,
                           bool (*keeps)(const void *context, const char *name),
                           const void *context);
