#include "token/claims.h"

#include <jansson.h>
#include <string.h>

#include "base/check.h"
#include "base/json_writer.h"
#include "token/json_text.h"

static bool text_copy(char *target, size_t target_size, const char *text, size_t len)
{
    if (len >= target_size) {
        return false;
    }
    memcpy(target, text, len);
    target[len] = '\0';
    return true;
}

bool token_claims_have_scope(const struct token_claims *claims, const char *scope)
{
    for (unsigned i = 0; i < claims->scopes_count; i++) {
        if (strcmp(claims->scopes[i], scope) == 0) {
            return true;
        }
    }
    return false;
}

bool token_claims_have_audience(const struct token_claims *claims, const char *audience)
{
    for (unsigned i = 0; i < claims->audiences_count; i++) {
        if (strcmp(claims->audiences[i], audience) == 0) {
            return true;
        }
    }
    return false;
}

bool token_claims_add_scope(struct token_claims *claims, const char *scope)
{
    if (claims->scopes_count == TOKEN_SCOPES_MAX ||
        !text_copy(claims->scopes[claims->scopes_count], TOKEN_SCOPE_SIZE, scope, strlen(scope))) {
        return false;
    }
    claims->scopes_count++;
    return true;
}

bool token_claims_add_audience(struct token_claims *claims, const char *audience)
{
    if (claims->audiences_count == TOKEN_AUDIENCES_MAX ||
        !text_copy(claims->audiences[claims->audiences_count], TOKEN_TEXT_SIZE, audience,
                   strlen(audience))) {
        return false;
    }
    claims->audiences_count++;
    return true;
}

static enum token_result text_take(const json_t *value, char *target, size_t target_size)
{
    if (!json_is_string(value)) {
        return TOKEN_MALFORMED;
    }
    if (!text_copy(target, target_size, json_string_value(value), json_string_length(value))) {
        return TOKEN_TOO_LONG;
    }
    return TOKEN_OK;
}

static enum token_result optional_text_take(const json_t *object, const char *key, char *target,
                                            size_t target_size)
{
    const json_t *value = json_text_member(object, key);

    return value == NULL ? TOKEN_OK : text_take(value, target, target_size);
}

static enum token_result time_take(const json_t *object, const char *key, int64_t *target_s)
{
    const json_t *value = json_text_member(object, key);

    if (value == NULL) {
        return TOKEN_INCOMPLETE;
    }
    if (json_is_integer(value)) {
        json_int_t time_s = json_integer_value(value);

        *target_s = time_s;
        return time_s >= -CLAIMS_TIME_MAX_S && time_s <= CLAIMS_TIME_MAX_S ? TOKEN_OK
                                                                           : TOKEN_MALFORMED;
    }
    double time_s = json_is_real(value) ? json_real_value(value) : 1e300;

    /* Converting an out-of-range double to an integer is undefined: look first. */
    if (!(time_s >= -(double)CLAIMS_TIME_MAX_S && time_s <= (double)CLAIMS_TIME_MAX_S)) {
        return TOKEN_MALFORMED;
    }
    *target_s = (int64_t)time_s;
    return TOKEN_OK;
}

static enum token_result scopes_take(const json_t *object, struct token_claims *claims)
{
    const json_t *list = json_text_member(object, "scopes");
    enum token_result result = TOKEN_OK;

    if (list == NULL) {
        return TOKEN_OK;
    }
    if (!json_is_array(list)) {
        return TOKEN_MALFORMED;
    }
    size_t count = json_array_size(list);

    if (count > TOKEN_SCOPES_MAX) {
        return TOKEN_TOO_LONG;
    }
    for (size_t i = 0; i < count && result == TOKEN_OK; i++) {
        result = text_take(json_array_get(list, i), claims->scopes[i], TOKEN_SCOPE_SIZE);
    }
    claims->scopes_count = (unsigned)count;
    return result;
}

static enum token_result audiences_take(const json_t *object, struct token_claims *claims)
{
    const json_t *list = json_text_member(object, "aud");
    enum token_result result = TOKEN_OK;

    if (list == NULL) {
        return TOKEN_OK;
    }
    if (json_is_string(list)) {
        claims->audiences_count = 1;
        return text_take(list, claims->audiences[0], TOKEN_TEXT_SIZE);
    }
    if (!json_is_array(list)) {
        return TOKEN_MALFORMED;
    }
    size_t count = json_array_size(list);

    if (count > TOKEN_AUDIENCES_MAX) {
        return TOKEN_TOO_LONG;
    }
    for (size_t i = 0; i < count && result == TOKEN_OK; i++) {
        result = text_take(json_array_get(list, i), claims->audiences[i], TOKEN_TEXT_SIZE);
    }
    claims->audiences_count = (unsigned)count;
    return result;
}

/* In the order of token.h. claim is set to the one that is being looked at. */
static enum token_result members_take(const json_t *object, struct token_claims *claims,
                                      const char **claim)
{
    const struct {
        const char *name;
        char *text;
        size_t text_size;
    } texts[] = {{"booking_id", claims->booking_id, sizeof claims->booking_id},
                 {"topic", claims->topic, sizeof claims->topic},
                 {"prefix", claims->prefix, sizeof claims->prefix}};
    const struct {
        const char *name;
        int64_t *time_s;
    } times[] = {{"exp", &claims->exp_s}, {"nbf", &claims->nbf_s}, {"iat", &claims->iat_s}};
    enum token_result result = TOKEN_OK;

    for (size_t i = 0; i < ARRAY_LENGTH(texts) && result == TOKEN_OK; i++) {
        *claim = texts[i].name;
        result = optional_text_take(object, *claim, texts[i].text, texts[i].text_size);
    }
    if (result == TOKEN_OK) {
        *claim = "scopes";
        result = scopes_take(object, claims);
    }
    if (result == TOKEN_OK) {
        *claim = "aud";
        result = audiences_take(object, claims);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(times) && result == TOKEN_OK; i++) {
        *claim = times[i].name;
        result = time_take(object, *claim, times[i].time_s);
    }
    return result;
}

enum token_result claims_explain(struct bytes json, struct token_claims *ret_claims,
                                 const char **ret_claim)
{
    json_t *object;
    struct token_claims claims = {0};
    const char *claim = NULL;
    enum token_result result = json_text_parse(json, &object);

    *ret_claim = NULL;
    if (result != TOKEN_OK) {
        return result;
    }
    result = members_take(object, &claims, &claim);
    json_decref(object);
    if (result == TOKEN_OK) {
        *ret_claims = claims;
    } else {
        *ret_claim = claim;
    }
    return result;
}

enum token_result claims_parse(struct bytes json, struct token_claims *ret_claims)
{
    const char *claim;

    return claims_explain(json, ret_claims, &claim);
}

/* The _nocheck constructors leave UTF-8 to the dump, so NULL means no memory and nothing else. */
static bool text_put(json_t *object, const char *key, const char *text)
{
    return json_object_set_new(object, key, json_string_nocheck(text)) == 0;
}

static bool list_put(json_t *object, const char *key, const char *texts, size_t text_size,
                     unsigned count)
{
    json_t *list = json_array();
    bool ok = list != NULL;

    for (unsigned i = 0; i < count && ok; i++) {
        ok = json_array_append_new(list, json_string_nocheck(texts + i * text_size)) == 0;
    }
    if (!ok) {
        json_decref(list);
        return false;
    }
    return json_object_set_new(object, key, list) == 0;
}

static bool time_put(json_t *object, const char *key, int64_t time_s)
{
    return json_object_set_new(object, key, json_integer(time_s)) == 0;
}

static bool claims_put(json_t *object, const struct token_claims *claims)
{
    return text_put(object, "booking_id", claims->booking_id) &&
           text_put(object, "topic", claims->topic) && text_put(object, "prefix", claims->prefix) &&
           list_put(object, "scopes", claims->scopes[0], TOKEN_SCOPE_SIZE, claims->scopes_count) &&
           (claims->audiences_count == 0 || list_put(object, "aud", claims->audiences[0],
                                                     TOKEN_TEXT_SIZE, claims->audiences_count)) &&
           time_put(object, "exp", claims->exp_s) && time_put(object, "nbf", claims->nbf_s) &&
           time_put(object, "iat", claims->iat_s);
}

static bool time_is_valid(int64_t time_s)
{
    return time_s >= -CLAIMS_TIME_MAX_S && time_s <= CLAIMS_TIME_MAX_S;
}

enum token_result claims_write(const struct token_claims *claims, char *json, size_t json_size,
                               size_t *ret_len)
{
    CHECK(claims->scopes_count <= TOKEN_SCOPES_MAX);
    CHECK(claims->audiences_count <= TOKEN_AUDIENCES_MAX);
    if (!time_is_valid(claims->exp_s) || !time_is_valid(claims->nbf_s) ||
        !time_is_valid(claims->iat_s)) {
        return TOKEN_MALFORMED;
    }
    json_t *object = json_object();

    if (object == NULL || !claims_put(object, claims)) {
        json_decref(object);
        return TOKEN_NO_MEMORY;
    }
    char text[TOKEN_BYTES_MAX];
    size_t len = json_dumpb(object, text, sizeof text, JSON_COMPACT | JSON_PRESERVE_ORDER);

    json_decref(object);
    if (len == 0) {
        return TOKEN_MALFORMED;
    }
    if (len > sizeof text) {
        return TOKEN_TOO_LONG;
    }
    struct json_writer writer;

    /* The same claims make the same token as with golang-jwt. */
    json_writer_init(&writer, json, json_size);
    json_writer_html_safe(&writer, bytes_of(text, len));
    if (writer.overflow) {
        return TOKEN_TOO_LONG;
    }
    *ret_len = writer.len;
    return TOKEN_OK;
}
