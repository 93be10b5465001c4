/* How long a viewer of a transport stream waits for a key picture, whether it joins or lags: then
 * it gets the stream as it comes, perhaps broken, as one without further key pictures would stay
 * dark. Pure; any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "server/hub/message.h"

enum key_wait_limits {
    KEY_WAIT_MS_MAX = 30 * 1000,
    KEY_WAIT_INSIDE_MS_MAX = 2 * KEY_WAIT_MS_MAX, /* for a message that goes on with a picture:
                                                     publishers may cut so that all do */
};

/* Whether a viewer that has waited from since_ms until now_ms gets the message, which is no key
 * picture. */
MUST_USE bool key_wait_is_over(const struct message *message, uint64_t since_ms, uint64_t now_ms);
