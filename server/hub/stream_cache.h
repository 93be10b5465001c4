/* The newest part of a topic's stream, for viewers that join: all messages of one publisher from
 * its newest key picture on, or its newest JPEG, or its last message where the topic's policy is
 * `latest`. It holds references to the same messages that
 * viewers' queues hold, and belongs to the topic's part of the publisher's worker; the topic says
 * where it is (cache_home). Of several publishers it is the one that sent the newest key picture.
 * Data is never kept. Past a bound the newest key picture stays, and what follows is left out until
 * the next one (cache_cut). A stream that has come to a halt is dropped; a JPEG stays. It never
 * costs live messages their memory: it is dropped first, and takes no more while less than half of
 * the worker's is left. Owner worker only but for topic.cache_home; never blocks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "server/hub/send_queue.h"
#include "server/hub/subscriber.h"
#include "server/hub/topic.h"

enum stream_cache_limits {
    STREAM_CACHE_MESSAGES_MAX = 4096,
    STREAM_CACHE_LINGER_MS = 10000, /* after its publisher has left; of a stream also after its last
                                       message, unless RELAY_GOP_CACHE_TIME is longer */
};

struct stream_cache {
    struct list node; /* in the registry's list of this worker; those without messages last */
    struct worker *worker;
    struct topic *topic;                /* referenced */
    const struct subscriber *publisher; /* NULL: it has left */
    struct send_queue messages;         /* nothing is sent from here */
    uint64_t started_ms;                /* when its first message was received */
    uint64_t newest_ms;                 /* when the stream's newest one was, kept or not */
    uint16_t key_count;                 /* the key picture ends with this message; 0: not known */
    bool key_stops;                     /* within it: a viewer that gets no more stops there */
    bool is_stream;                     /* not a JPEG or a last message */
    bool is_cut;                        /* nothing more until the next key picture */
    struct timer release;
};

/* Follows what the topic's publishers send: call for each message, after it has its class, parts
 * and number, and before topic.interested is looked at, so that a viewer that joins on another
 * worker at the same time gets a letter or finds the cache. */
void stream_cache_follow(struct worker *worker, struct topic *topic, struct message *message,
                         const struct subscriber *publisher);

/* The publisher sends no more; its address may be used again. */
void stream_cache_end(struct worker *worker, struct topic *topic,
                      const struct subscriber *publisher);

/* A picture that is kept: payloads one behind the other, as a viewer would get them. */
struct stream_picture {
    char *bytes; /* malloc'ed; NULL: none is kept, or there is no memory */
    size_t len;
    enum message_class class; /* MESSAGE_KEY, MESSAGE_JPEG or MESSAGE_LATEST */
};

/* Copies the newest key picture, as much of it as is here, or the newest JPEG or message; none of
 * more than MESSAGE_BYTES_MAX, as the publisher's worker would take too long for it. The receiver
 * frees it. */
struct stream_picture stream_cache_copy_picture(const struct worker *worker, struct topic *topic);

/* Drops what is kept of the topic, or of any topic of this worker, as live messages need the
 * memory. False: nothing was. */
bool stream_cache_give_way(struct worker *worker, struct topic *topic);
bool stream_cache_give_way_any(struct worker *worker, struct topic_registry *registry);

/* An empty one, to be filled with what another program kept: its members, and charged messages. An
 * older one of the topic here makes way. NULL: a newer one does not, nothing is cached here, or
 * there is no memory. */
MUST_USE struct stream_cache *stream_cache_make(struct worker *worker, struct topic *topic,
                                                uint64_t newest_ms);
/* It is filled. is_home: it is the newest of its topic. */
void stream_cache_made(struct stream_cache *cache, bool is_home);

/* Whether a viewer that has got all that is kept waits for the next key picture: what comes next
 * does not go on from it. */
bool stream_cache_awaits_key(const struct stream_cache *cache);

/* Drops the caches of all topics on this worker, which is stopping. */
void stream_cache_drop_all(struct worker *worker, struct topic_registry *registry);
