#include "server/access/permission.h"

#include <string.h>

void permission_from_claims(struct permission *permission, const struct token_claims *claims)
{
    *permission = (struct permission){
        .exp_s = claims->exp_s,
        .nbf_s = claims->nbf_s,
        .can_read = token_claims_have_scope(claims, "read"),
        .can_write = token_claims_have_scope(claims, "write"),
    };
    memcpy(permission->topic, claims->topic, sizeof permission->topic);
    memcpy(permission->booking_id, claims->booking_id, sizeof permission->booking_id);
}
