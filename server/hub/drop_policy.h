/* Decides which message is queued where, and which is dropped for it, when a viewer is slow: one
 * row of rules for each message class. Data loses its oldest messages, because viewers want the
 * present; of single pictures only the newest waits; a transport stream is cut where nothing that
 * is decoded breaks (hub/lag/video_policy.h). Each loss is counted, for the server and for the
 * viewer. Entries in flight or begun stay. No state but struct lag; owner worker of the viewer
 * only; never blocks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "server/hub/lag/send_bounds.h"
#include "server/hub/subscriber.h"

enum drop_policy_limits {
    SEND_QUEUE_CONTROL = 20,   /* room for pongs, ping and Close beyond RELAY_BUFFER_SIZE */
    ANSWERS_QUEUED_MAX = 16,   /* of more pings only the latest is answered (RFC 6455 §5.5.3) */
    PICTURE_WAIT_MS_MAX = 100, /* of a JPEG; then a newer one takes its place */
};

/* Queues share, with a reference of its own, at the place of its class, and drops what its class
 * drops for it. False when it was not queued: memory, control frames beyond SEND_QUEUE_CONTROL, or
 * a piece of a stream that this viewer skips; counted. */
bool drop_policy_push(struct subscriber *viewer, struct worker *worker,
                      const struct send_queue_bounds *bounds, struct share *share);
/* The same for a part of its message. */
bool drop_policy_push_part(struct subscriber *viewer, struct worker *worker,
                           const struct send_queue_bounds *bounds, struct share *share,
                           enum message_part part);

/* When ANSWERS_QUEUED_MAX of its class are waiting already, pongs or answers of relay.v1, replaces
 * the newest of them, as only the latest ping needs an answer (RFC 6455 §5.5.3). False when fewer
 * are waiting: then push it. */
bool drop_policy_replace_answer(struct send_queue *queue, struct worker *worker,
                                struct share *share);

/* Messages of that class, an urgent one, that wait. */
unsigned drop_policy_waiting(const struct send_queue *queue, enum message_class class);

/* Drops what waited longer than its bound. Call before each send, and while one is in flight:
 * nothing else does then. */
void drop_policy_drop_old(struct subscriber *viewer, struct worker *worker,
                          const struct send_queue_bounds *bounds);

/* Drops everything that is not in flight, partly sent or without a frame (the 101 may still wait);
 * for a connection that will only send its Close. */
void drop_policy_drop_waiting(struct send_queue *queue, struct worker *worker);
