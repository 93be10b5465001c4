/* The state of a host as JSON, for GET /api/status and `relay host --status`: feeds with their
 * rates, destinations with their connections, local programs. Host's thread only. */
#pragma once

#include <stdint.h>

#include "base/attributes.h"
#include "host/destination/destinations.h"
#include "host/http/http_server.h"
#include "host/local/local_client.h"

struct host_report_sources {
    const struct feed_table *feeds;
    const struct destinations *destinations;
    const struct local_client_list *clients;
    const struct http_server *server;
    uint64_t started_ms, now_ms; /* monotonic */
};

/* Malloc'ed, for json_answer_free. NULL: no memory. Hosts of relays are named, nothing of a URL
 * that could be a secret. */
MUST_USE char *host_report_make(const struct host_report_sources *sources);
