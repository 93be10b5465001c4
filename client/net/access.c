#include "client/net/access.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { SERVER_TEXT_SIZE = 160 };

int access_request_write(const struct url *location, const char *token, const char *user_agent,
                         char *text, size_t size)
{
    char authority[URL_AUTHORITY_SIZE];

    url_authority(location, authority);
    int len = snprintf(text, size,
                       "POST %s HTTP/1.1\r\n"
                       "Host: %s\r\n"
                       "Authorization: %s\r\n"
                       "User-Agent: %s\r\n"
                       "Accept: application/json\r\n"
                       "Content-Length: 0\r\n"
                       "Connection: close\r\n\r\n",
                       location->target, authority, token, user_agent);

    return len < 0 || (size_t)len >= size ? -ENOSPC : len;
}

/* The server's message: a JSON string, the "message" of an object, or short plain text. */
static void server_text(const struct http_answer *answer, char *text, size_t size)
{
    json_t *root = json_loadb(answer->body, answer->body_len, JSON_DECODE_ANY, NULL);
    const char *message = json_string_value(root);

    if (message == NULL) {
        message = json_string_value(json_object_get(root, "message"));
    }
    if (message == NULL && root == NULL && answer->body[0] != '<') {
        message = answer->body; /* HTML pages of proxies are useless in one line */
    }
    struct bytes raw = bytes_of_text(message == NULL ? "" : message);

    while (raw.len > 0 && raw.data[raw.len - 1] == '\n') {
        raw.len--;
    }
    fault_text_clean(raw, text, size);
    json_decref(root);
}

enum progress access_fault(const struct http_answer *answer, struct fault *fault)
{
    bool refused = answer->status == 401 || answer->status == 403;
    char text[SERVER_TEXT_SIZE];

    server_text(answer, text, sizeof text);
    fault->http_status = answer->status;
    fault->retry_after_ms = http_answer_retry_after_ms(answer);
    if (answer->status >= 300 && answer->status < 400) {
        return fault_set(fault, RELAY_CLIENT_FAULT_HTTP,
                         "HTTP %d: redirects are not followed; set the final location",
                         answer->status);
    }
    return fault_set(fault, refused ? RELAY_CLIENT_FAULT_REFUSED : RELAY_CLIENT_FAULT_HTTP,
                     "%sHTTP %d%s%s", refused ? "refused: " : "", answer->status,
                     text[0] == '\0' ? "" : ": ", text);
}

/* jansson frees texts without wiping them, and this one holds a code. */
static void text_wipe(json_t *text)
{
    bytes_wipe((void *)(uintptr_t)json_string_value(text), json_string_length(text));
}

static enum progress uri_read(const char *uri, struct url *ret_url, struct fault *fault)
{
    struct url url;
    enum url_result result = url_parse(uri, &url);

    if (result == URL_OK && !url.websocket) {
        result = URL_BAD_SCHEME;
    }
    if (result == URL_OK) {
        *ret_url = url;
    }
    bytes_wipe(&url, sizeof url);
    return result == URL_OK ? PROGRESS_DONE
                            : fault_set(fault, RELAY_CLIENT_FAULT_HTTP,
                                        "the answer's uri is not a valid ws:// or wss:// URL");
}

enum progress access_answer_read(const struct http_answer *answer, struct url *ret_url,
                                 struct fault *fault)
{
    if (answer->status != 200) {
        return access_fault(answer, fault);
    }
    json_t *root = json_loadb(answer->body, answer->body_len, 0, NULL);
    const char *uri = json_string_value(json_object_get(root, "uri"));
    enum progress progress =
        uri != NULL ? uri_read(uri, ret_url, fault)
                    : fault_set(fault, RELAY_CLIENT_FAULT_HTTP,
                                "the answer holds no uri: is this a relay's access API?");

    fault->http_status = progress == PROGRESS_DONE ? 0 : answer->status;
    text_wipe(json_object_get(root, "uri"));
    json_decref(root);
    return progress;
}
