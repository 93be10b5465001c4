/* Gives each message of a publisher its class, by the policy of its topic, and the parts from which
 * and up to which viewers may receive it, before it is published (wire/media/stream_probe.h).
 * Publishers of data cost a look at a few bytes; only for those of a transport stream is there
 * memory, which their topic is charged. All zero: nothing was seen yet. Owner worker only; never
 * blocks. */
#pragma once

#include <stdint.h>

#include "server/hub/message.h"
#include "server/hub/topic.h"

struct stream_probe;

struct recogniser {
    struct stream_probe *probe; /* NULL: no stream was found, or there was no memory for it */
    uint32_t messages;          /* looked at so far */
    uint32_t stream;            /* struct message.stream of what it follows */
    bool follows_disposable;    /* the last message was, or went on with, a picture that viewers may
                                   not have */
};

/* The message has its payload, frame and topic. */
void recogniser_take(struct recogniser *recogniser, struct worker *worker, struct message *message);

/* Goes on with a probe of another program, if there is memory for it: else with a new stream. */
void recogniser_restore(struct recogniser *recogniser, struct worker *worker, struct topic *topic,
                        const struct stream_probe *probe);

/* The publisher leaves the topic. */
void recogniser_deinit(struct recogniser *recogniser, struct worker *worker, struct topic *topic);
