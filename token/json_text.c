#include "token/json_text.h"

/* After a syntax error the count may be wrong, but there jansson stops reading as well. */
static bool depth_is_bounded(struct bytes text)
{
    unsigned depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (in_string && c == '\\') {
            i++;
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && (c == '{' || c == '[')) {
            if (++depth > JSON_TEXT_DEPTH_MAX) {
                return false;
            }
        } else if (!in_string && (c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

static enum token_result parse_failure(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);

    if (code == json_error_unknown || code == json_error_out_of_memory) {
        return TOKEN_NO_MEMORY;
    }
    return TOKEN_MALFORMED;
}

enum token_result json_text_parse(struct bytes text, json_t **ret_object)
{
    json_error_t error = {0}; /* jansson leaves its code unset when it fails before reading */

    /* jansson passes over a NUL that follows a digit. */
    if (text.len == 0 || bytes_find(text, '\0') < text.len || !depth_is_bounded(text)) {
        return TOKEN_MALFORMED;
    }
    json_t *object = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);

    if (object == NULL) {
        return parse_failure(&error);
    }
    if (!json_is_object(object)) {
        json_decref(object);
        return TOKEN_MALFORMED;
    }
    *ret_object = object;
    return TOKEN_OK;
}

const json_t *json_text_member(const json_t *object, const char *key)
{
    const json_t *member = json_object_get(object, key);

    return json_is_null(member) ? NULL : member;
}
