/* The routes of the host, matched on the decoded path without its query, as the original's router
 * does. Pure, any thread. */
#pragma once

#include "base/attributes.h"
#include "base/bytes.h"

enum route_limits { ROUTE_NAME_SIZE = 1024 }; /* a longer name is not found */

enum route_kind {
    ROUTE_BAD_REQUEST, /* the path cannot be decoded */
    ROUTE_NOT_FOUND,
    ROUTE_WRONG_METHOD,
    ROUTE_REDIRECT, /* name: the path that is meant, escaped */
    ROUTE_HEALTH,
    ROUTE_API,
    ROUTE_STATUS,
    ROUTE_DESTINATION_PUT,
    ROUTE_DESTINATION_LIST,
    ROUTE_DESTINATION_GET,
    ROUTE_DESTINATION_DELETE,
    ROUTE_DESTINATION_DELETE_ALL,
    ROUTE_STREAM_PUT,
    ROUTE_STREAM_LIST,
    ROUTE_STREAM_GET,
    ROUTE_STREAM_DELETE,
    ROUTE_STREAM_DELETE_ALL,
    ROUTE_PUBLISH, /* name: the feed */
    ROUTE_WEBSOCKET,
};

struct route {
    enum route_kind kind;
    char name[ROUTE_NAME_SIZE]; /* the id, the stream, the feed; as it is in the path */
};

void route_find(const char *method, struct bytes target, struct route *ret_route);

/* True for what only programs of this machine may do: the rules, and the feed "api". */
bool route_is_control(const struct route *route);
