/* Authentication of a request: the token of the Authorization field, raw or after "Bearer ". */
#pragma once

#include "server/access/access.h"

enum auth_sizes { AUTH_MESSAGE_SIZE = TOKEN_AUDIENCES_MAX * TOKEN_TEXT_SIZE + 512 };

/* Why a request is not authenticated: 401. */
struct auth_refusal {
    char message[AUTH_MESSAGE_SIZE]; /* for the client; may repeat what a genuine token says */
    const char *reason;              /* for the log; constant */
};

/* Verifies the token and its audience. True with call->claims filled, or false with the refusal. */
bool auth_check(struct access_call *call, struct auth_refusal *ret_refusal);
