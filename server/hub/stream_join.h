/* How a viewer starts: with what the topic's cache holds (hub/stream_cache.h) and then live, with
 * the next key picture, or with whatever comes. No message is missed between the cache and live,
 * and none comes twice: on the cache's worker because both happen in one turn; on another one
 * because that worker is asked by a call. Until the answer arrives the viewer is sent no picture of
 * that worker: those are in the answer. Messages are numbered, and leave at the end of a turn:
 * those that the answer overtook and has are not sent either, and none overtakes the answer, unless
 * its letter could not be delivered at once: then the viewer awaits a key picture. Data is in no
 * answer, and sent as it comes. The memory that viewers begin with is on the topic's budget until
 * they have taken it. Owner worker of the subscriber only; never blocks. */
#pragma once

#include <stdbool.h>

#include "server/hub/message_part.h"
#include "server/hub/subscriber.h"
#include "server/hub/topic.h"

enum stream_join_limits {
    STREAM_JOIN_MESSAGES_MAX = 512,  /* that a viewer begins with; else the key picture alone */
    STREAM_JOIN_MESSAGE_BYTES = 160, /* of a worker's memory, which each needs at most */
    STREAM_BEGIN_MS_MAX = 10000, /* for what a viewer begins with to be taken, before it is slow */
};

/* As GStreamer's multihandlesink calls them. */
enum stream_join_mode { JOIN_LATEST_KEYFRAME, JOIN_NEXT_KEYFRAME, JOIN_LATEST };

/* Queues what the viewer starts with, or asks for it. Call right after topic_subscribe. */
void stream_join_begin(struct worker *worker, struct topic *topic, struct subscriber *subscriber,
                       enum stream_join_mode mode);

/* The subscriber leaves the topic; an answer that is on its way finds none. */
void stream_join_end(struct subscriber *subscriber);

/* Whether the viewer, which is not SUBSCRIBER_LIVE, gets a message that was published, and which
 * part of it; it may be live from this one on. */
bool stream_join_admits(struct subscriber *subscriber, const struct message *message,
                        enum message_part *ret_part);
