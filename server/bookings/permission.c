#include "server/bookings/permission.h"

#include <string.h>

#include "base/json_writer.h"

static void write_scopes(struct permission *permission, const struct token_claims *claims)
{
    struct json_writer json;

    json_writer_init(&json, permission->scopes_json, sizeof permission->scopes_json - 1);
    json_writer_raw(&json, "[");
    for (unsigned i = 0; i < claims->scopes_count; i++) {
        size_t before = json.len;

        json_writer_raw(&json, json.len > 1 ? "," : "");
        json_writer_text(&json, claims->scopes[i]);
        if (json.overflow) {
            json.len = before;
            json.data[before] = '\0';
            break;
        }
    }
    memcpy(json.data + json.len, "]", 2); /* the byte that was kept back */
}

void permission_from_claims(struct permission *permission, const struct token_claims *claims)
{
    *permission = (struct permission){
        .exp_s = claims->exp_s,
        .nbf_s = claims->nbf_s,
        .can_read = token_claims_have_scope(claims, "read"),
        .can_write = token_claims_have_scope(claims, "write"),
        .is_session = strcmp(claims->prefix, "session") == 0,
    };
    memcpy(permission->topic, claims->topic, sizeof permission->topic);
    memcpy(permission->booking_id, claims->booking_id, sizeof permission->booking_id);
    write_scopes(permission, claims);
}
