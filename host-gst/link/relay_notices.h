/* Notices of a relay that speaks relay.v1, as messages on the bus: whether a stream has begun or
 * ended, who has the lease of the topic, and whether a newer token was taken. Any thread. */
#pragma once

#include <gst/gst.h>

#include "client/relay_client.h"

/* ELEMENT relay-stream, relay-lease or relay-token; a token that was not taken is a WARNING too. */
void relay_notices_post(GstElement *element, const struct relay_client_notice *notice);
