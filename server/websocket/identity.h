/* A member as reports and the log name it: its booking and scopes, its program and its addresses.
 * In one block, each text at its length, because most are a small part of what they may be. Owner
 * worker only; never blocks. */
#pragma once

#include <stdbool.h>

#include "base/attributes.h"
#include "server/bookings/permission.h"
#include "server/conn/address.h"
#include "wire/http_request.h"

enum identity_limits {
    USER_AGENT_SIZE = 128, /* of what is kept of it, with the NUL */
};

struct identity {
    const char *booking_id; /* "": the token had none */
    const char *scopes_json;
    const char *user_agent;
    const char *remote_address; /* the socket's; for the log */
    /* X-Forwarded-For as a trusted proxy sent it, or ""; of others the socket's. */
    const char *reported_address;
    char *block; /* holds all of them */
};

/* From the socket and the request of a client that was admitted; forwarded addresses count from a
 * trusted proxy. False: out of memory, and ret_identity is untouched. */
MUST_USE bool identity_of_client(struct identity *ret_identity, const struct permission *permission,
                                 int fd, const struct http_request *request,
                                 const struct address_list *trusted_proxies);
/* Copies texts, whose block is not looked at. False: out of memory, and ret_identity is untouched.
 */
MUST_USE bool identity_init(struct identity *ret_identity, const struct identity *texts);
/* Harmless after a failed identity_init of one that is all zero. */
void identity_deinit(struct identity *identity);
