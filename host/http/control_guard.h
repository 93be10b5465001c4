/* Admission to the routes that change rules: programs of this machine, but no page of a browser
 * that runs on it. Any thread. */
#pragma once

#include <stdbool.h>

#include "wire/http_request.h"

struct control_guard {
    bool is_loopback; /* the peer */
    bool is_remote;   /* rules may be changed from other machines */
};

/* A line with the cause and the cure, for a 403. NULL: the request may pass. */
const char *control_guard_refusal(const struct control_guard *guard,
                                  const struct http_request *request);
