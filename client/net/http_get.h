/* One GET, mostly with a token, for tools: blocks, so never on a client's thread. The response may
   be large.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "client/net/fault.h"
#include "wire/address/url.h"

struct http_get {
    struct url url;
    const char *token;   /* value of Authorization, credential_is_valid; NULL: none */
    const char *ca_file; /* NULL: the system's store */
    bool insecure;       /* certificates are not verified */
    const char *user_agent;
    uint32_t timeout_ms; /* for the whole request */
    size_t body_bytes_max;
};

struct http_get_answer {
    int status;
    char *body; /* malloc'ed, not terminated; NULL when empty */
    size_t body_len;
};

/* PROGRESS_DONE: a response of any status; release it with http_get_answer_release.
 * PROGRESS_FAILED: none came; the fault has the reason. Never PROGRESS_WAIT. */
MUST_USE enum progress http_get(const struct http_get *get, struct http_get_answer *ret_answer,
                                struct fault *fault);
void http_get_answer_release(struct http_get_answer *answer);
