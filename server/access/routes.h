/* The table of the access API: method, path, handler. */
#pragma once

#include "server/access/access.h"

enum route_kind {
    ROUTE_JSON,
    ROUTE_PICTURES, /* the handler looks at Accept */
    ROUTE_PUBLIC,   /* no token is asked for, and Accept does not matter: it is for browsers */
};

struct route {
    const char *method;
    const char *path; /* a last segment of "*" takes one path segment as the parameter */
    void (*handle)(struct access_call *call, struct access_reply *reply);
    enum route_kind kind;
};

enum route_result { ROUTE_FOUND, ROUTE_NOT_FOUND, ROUTE_WRONG_METHOD };

struct route_match {
    const struct route *route;
    struct bytes parameter; /* still escaped; borrowed from the path */
    char allowed[32];       /* methods of the path, for ROUTE_WRONG_METHOD: "POST,GET" */
};

enum route_result routes_find(const char *method, const char *path, struct route_match *ret_match);

/* Handlers, one file each. */
void session_post(struct access_call *call, struct access_reply *reply);
void bids_deny_post(struct access_call *call, struct access_reply *reply);
void bids_deny_get(struct access_call *call, struct access_reply *reply);
void bids_allow_post(struct access_call *call, struct access_reply *reply);
void bids_allow_get(struct access_call *call, struct access_reply *reply);
void status_get(struct access_call *call, struct access_reply *reply);
void docs_get(struct access_call *call, struct access_reply *reply);
void swagger_get(struct access_call *call, struct access_reply *reply);
void docs_openapi_get(struct access_call *call, struct access_reply *reply);
