/* Pictures that are shown before a key picture but come behind it, and may need earlier ones
 * (open GOP): a viewer that skipped to the key picture goes without them. One state for each stream
 * of a viewer. Pure; its owner's thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "server/hub/message_part.h"

enum leading {
    LEADING_NONE,     /* all may be decoded */
    LEADING_POSSIBLE, /* only the key picture was taken, or a part of it */
    LEADING_DROPPED,  /* some behind it were not */
};

/* Whether the next message of the stream is taken, and which part of it then: behind a gap, the one
 * that announces it. A gap ends at a boundary, or at the next key picture. */
MUST_USE bool leading_admits(enum leading *leading, const struct message *message,
                             enum message_part *part);
