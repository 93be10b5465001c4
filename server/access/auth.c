#include "server/access/auth.h"

#include <stdio.h>
#include <strings.h>

static struct bytes token_of(struct bytes field)
{
    static const char scheme[] = "Bearer ";
    size_t len = sizeof scheme - 1;

    if (field.len > len && strncasecmp((const char *)field.data, scheme, len) == 0) {
        return bytes_trim(bytes_skip(field, len));
    }
    return field;
}

/* Go prints a list as [x y]. */
static void reply_wrong_audience(const struct access_call *call, struct access_reply *reply)
{
    char message[TOKEN_AUDIENCES_MAX * TOKEN_TEXT_SIZE + 512];
    size_t used = (size_t)snprintf(message, sizeof message, "aud [");

    for (unsigned i = 0; i < call->claims.audiences_count; i++) {
        used += (size_t)snprintf(message + used, sizeof message - used, "%s%s", i == 0 ? "" : " ",
                                 call->claims.audiences[i]);
    }
    snprintf(message + used, sizeof message - used, "] does not match this host %.400s",
             call->context->audience);
    access_reply_framework(reply, 401, message, "token for another audience");
}

static enum token_result verify(struct access_call *call, struct bytes token)
{
    struct token_keys *keys = token_keys_slot_get(call->context->keys);
    enum token_result result = token_verify(keys, token, call->now_s, &call->claims);

    token_keys_unref(keys);
    return result;
}

bool auth_check(struct access_call *call, struct access_reply *reply)
{
    struct bytes field;

    if (!http_request_field(call->request, "Authorization", &field) || field.len == 0) {
        access_reply_framework(reply, 401, "unauthenticated for invalid credentials", "no token");
        return false;
    }
    enum token_result result = verify(call, token_of(field));

    if (result != TOKEN_OK) {
        access_reply_framework(reply, 401, "token invalid", token_result_text(result));
        return false;
    }
    if (!token_claims_have_audience(&call->claims, call->context->audience)) {
        reply_wrong_audience(call, reply);
        return false;
    }
    return true;
}
