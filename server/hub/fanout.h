/* Delivers from one publisher to all subscribers of a topic: to local ones by reference, to others
 * by parcels (hub/parcel.h) to each worker that has any. */
#pragma once

#include "server/hub/drop_policy.h"
#include "server/hub/message.h"
#include "server/hub/parcel.h"
#include "server/hub/subscriber.h"
#include "server/hub/topic.h"

/* Publishes and releases the caller's reference. publisher does not get its own message; it may be
 * NULL. It leaves for other workers with the next fanout_flush. Owner worker of the message only.
 */
void fanout_publish(struct worker *worker, struct topic *topic, struct message *message,
                    const struct subscriber *publisher, const struct send_queue_bounds *bounds);

/* Posts all that was published to other workers: at the end of each turn, and before a worker_call
 * that must arrive after the messages published before it. Letters of one worker to another arrive
 * in the order of posting, so then it does. Owner worker of the messages only. */
void fanout_flush(struct worker *worker);

/* A LETTER_PARCEL arrived: delivers to this worker's subscribers. */
void fanout_receive(struct worker *worker, struct parcel *parcel,
                    const struct send_queue_bounds *bounds);
