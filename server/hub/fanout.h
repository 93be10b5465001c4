/* Delivers from one publisher to all subscribers of a topic: to local ones by reference, to others
 * by one letter to each worker that has any. */
#pragma once

#include "server/hub/message.h"
#include "server/hub/send_queue.h"
#include "server/hub/subscriber.h"
#include "server/hub/topic.h"

/* Publishes and releases the caller's reference. publisher does not get its own message; it may be
 * NULL. Owner worker of the message only. */
void fanout_publish(struct worker *worker, struct topic *topic, struct message *message,
                    const struct subscriber *publisher, const struct send_queue_bounds *bounds);

/* A LETTER_MESSAGE arrived: delivers to this worker's subscribers. */
void fanout_receive(struct worker *worker, struct message *message,
                    const struct send_queue_bounds *bounds);
