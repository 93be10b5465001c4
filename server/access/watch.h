/* The page that shows a topic (web/watch/). Any worker. */
#pragma once

#include "server/access/access.h"

#define WATCH_PATH "/watch"

/* Where RELAY_WATCH_PAGE is not set, there is no such path: the caller looks. */
void watch_get(struct access_call *call, struct access_reply *reply);
