/* A publisher: the body of one request on /ts/{feed}, as messages of the feed. Its connection feeds
 * it (http/http_connection.h). Host's thread only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "host/feed/feed.h"
#include "host/loop/loop.h"

struct publisher;

/* NULL: no memory. */
MUST_USE struct publisher *publisher_create(struct loop *loop, struct feed_table *feeds,
                                            const char *feed);

/* Sends what is held. Accepts NULL. */
void publisher_destroy(struct publisher *publisher);

/* Content of the body. chunk_size: of the chunk it belongs to, 0: the body has none; in_chunk: more
 * of that chunk is to come. */
void publisher_take(struct publisher *publisher, struct bytes content, size_t chunk_size,
                    bool in_chunk);
