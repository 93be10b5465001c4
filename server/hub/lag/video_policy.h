/* A viewer that is slow for a transport stream loses the pictures that no others need, once it is
 * late by half of what it may be. If that does not help it skips to a newer key picture, so that
 * nothing that it decodes is broken: what it was sent ends where a picture is whole (MESSAGE_STOP),
 * and goes on with the key picture behind its splice (MESSAGE_START), without pictures that may
 * need what was skipped. If none is waiting, the viewer awaits the next one. Each publisher's
 * stream is cut by itself. A stream of which the viewer got no key picture yet cannot be cut: it is
 * treated as data. One without further key pictures, or in which all pictures are leading, goes on
 * after a time (hub/lag/key_wait.h). State is in struct lag. Owner worker only; never blocks. */
#pragma once

#include <stdbool.h>

#include "base/attributes.h"
#include "server/hub/lag/send_bounds.h"
#include "server/hub/subscriber.h"

/* Whether the viewer's entry of that message is this policy's. */
MUST_USE bool video_policy_applies(const struct subscriber *viewer, const struct message *message);

/* Makes room for a new entry of a stream, and says which part of its message the viewer gets.
 * False: none; counted. */
MUST_USE bool video_policy_admit(struct subscriber *viewer, struct worker *worker,
                                 const struct send_queue_bounds *bounds, struct send_entry *entry);

/* The viewer begins with that key picture, which did not pass here. */
void video_policy_begin(struct subscriber *viewer, const struct message *key);

/* Drops what waited longer than its bound, as far as a picture is whole before it. */
void video_policy_drop_old(struct subscriber *viewer, struct worker *worker,
                           const struct send_queue_bounds *bounds);
