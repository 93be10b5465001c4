/* GET /snapshot/{topic}: the newest picture of a topic, for a token that may read it. The layer
 * above fetches it from the worker that keeps it. Any worker. */
#pragma once

#include "server/access/access.h"

/* The handler. */
void snapshot_get(struct access_call *call, struct access_reply *reply);

/* The media type of a picture; constant. */
const char *snapshot_type(enum access_picture picture);
