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
static void write_wrong_audience(const struct access_call *call,
                                 char message[static AUTH_MESSAGE_SIZE])
{
    size_t used = (size_t)snprintf(message, AUTH_MESSAGE_SIZE, "aud [");

    for (unsigned i = 0; i < call->claims.audiences_count; i++) {
        used += (size_t)snprintf(message + used, AUTH_MESSAGE_SIZE - used, "%s%s",
                                 i == 0 ? "" : " ", call->claims.audiences[i]);
    }
    snprintf(message + used, AUTH_MESSAGE_SIZE - used, "] does not match this host %.400s",
             call->context->audience);
}

static enum token_result verify(struct access_call *call, struct bytes token)
{
    struct token_keys *keys = token_keys_slot_get(call->context->keys);
    enum token_result result = token_verify(keys, token, call->now_s, &call->claims);

    token_keys_unref(keys);
    return result;
}

static bool refuse(struct auth_refusal *refusal, const char *message, const char *reason)
{
    snprintf(refusal->message, sizeof refusal->message, "%s", message);
    refusal->reason = reason;
    return false;
}

bool auth_check(struct access_call *call, struct auth_refusal *ret_refusal)
{
    struct bytes field;

    if (!http_request_field(call->request, "Authorization", &field) || field.len == 0) {
        return refuse(ret_refusal, "unauthenticated for invalid credentials", "no token");
    }
    enum token_result result = verify(call, token_of(field));

    if (result != TOKEN_OK) {
        return refuse(ret_refusal, "token invalid", token_result_text(result));
    }
    if (!token_claims_have_audience(&call->claims, call->context->audience)) {
        write_wrong_audience(call, ret_refusal->message);
        ret_refusal->reason = "token for another audience";
        return false;
    }
    return true;
}
