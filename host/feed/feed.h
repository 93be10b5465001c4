/* Feeds: the topics of the host. A message goes to all members of its feed but its sender. A feed
 * exists while it has members. Names are exact texts; those that begin with "stream/" are streams,
 * which aggregate feeds (rules/streams.h): nothing can be sent to them. Host's thread only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/list.h"
#include "host/feed/parcel.h"

struct feed;

/* Embedded in its owner, which leaves the feed before it is freed. */
struct feed_member {
    struct list node;
    struct feed *feed;  /* NULL: not joined */
    const char *origin; /* the URL of a destination, or NULL: members of one URL do not hear each
                           other, since each hears the same relay */
    bool may_command;   /* what it sends to the feed "api" counts as a command */

    /* NULL for members that only send. Must not join or leave any member. */
    void (*on_message)(struct feed_member *member, const struct feed_member *sender,
                       struct parcel *message);
};

struct feed_table {
    struct list all;

    /* Called for each message after its feed has it. */
    void (*on_published)(struct feed_table *feeds, const char *name,
                         const struct feed_member *sender, struct parcel *message);
};

void feed_table_init(struct feed_table *feeds);
void feed_table_deinit(struct feed_table *feeds);

/* True for the name of a stream. */
bool feed_is_stream(const char *name);

/* 0 or -ENOMEM. */
MUST_USE int feed_join(struct feed_table *feeds, const char *name, struct feed_member *member);

/* Harmless when it has not joined. */
void feed_leave(struct feed_member *member);
const char *feed_name(const struct feed_member *member);

/* To the others on the sender's feed, and to the streams that hear it. The caller keeps its
 * reference. */
void feed_publish(struct feed_table *feeds, struct feed_member *sender, struct parcel *message);

/* To all members of a feed but the sender, if there is one of that name. */
void feed_deliver(struct feed_table *feeds, const char *name, const struct feed_member *sender,
                  struct parcel *message);

/* A feed in a report. */
struct feed_report {
    const char *name;
    size_t members;
    uint64_t messages, bytes;               /* sent to it while it exists */
    uint64_t second_messages, second_bytes; /* in the last whole second */
};

/* Calls back for each feed. */
void feed_table_each(const struct feed_table *feeds, uint64_t now_ms,
                     void (*on_feed)(void *context, const struct feed_report *report),
                     void *context);
