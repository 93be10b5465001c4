/* The rights that an accepted token gives to one connection. By value. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "token/token.h"

enum permission_sizes { PERMISSION_SCOPES_SIZE = 160 };

struct permission {
    char topic[TOKEN_TEXT_SIZE];
    char booking_id[TOKEN_TEXT_SIZE];
    int64_t exp_s; /* seconds since 1970 UTC */
    int64_t nbf_s;
    char scopes_json[PERMISSION_SCOPES_SIZE]; /* ["read","write"] as the token had them; those that
                                                 fit */
    bool can_read;
    bool can_write;
    bool is_session; /* the claim prefix is "session": opens /session/…, others open nothing here */
};

/* From the claims of a verified token. */
void permission_from_claims(struct permission *permission, const struct token_claims *claims);
