/* The answers of the HTTP API, byte for byte those of practable/relay. Host's thread only. */
#pragma once

#include <stdbool.h>

#include "host/control/control.h"
#include "host/http/route.h"

struct api_answer {
    unsigned status;
    const char *content_type; /* NULL: none */
    const char *text;         /* constant, or that of body */
    char *body;               /* malloc'ed, for json_answer_free; NULL: none */
    bool no_sniff;
};

/* Carries out a request on one of the routes that need no connection of their own. */
struct api_answer api_answer(struct control *control, const struct route *route, struct bytes body);

/* A fixed answer of text/plain. */
struct api_answer api_answer_plain(unsigned status, const char *text);
