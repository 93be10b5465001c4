#include "client/net/http_body.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 16 * 1024 };

static int on_headers_complete(llhttp_t *parser)
{
    struct http_body *body = parser->data;

    body->status = parser->status_code;
    return 0;
}

static bool reserve(struct http_body *body, size_t len)
{
    size_t size = body->size == 0 ? (size_t)FIRST_SIZE : body->size;

    while (size < len) {
        size *= 2;
    }
    if (size == body->size) {
        return true;
    }
    char *data = realloc(body->data, size);

    if (data == NULL) {
        return false;
    }
    body->data = data;
    body->size = size;
    return true;
}

static int on_body(llhttp_t *parser, const char *data, size_t len)
{
    struct http_body *body = parser->data;

    body->too_large = len > body->len_max - body->len;
    if (body->too_large) {
        return HPE_USER;
    }
    body->no_memory = !reserve(body, body->len + len);
    if (body->no_memory) {
        return HPE_USER;
    }
    memcpy(body->data + body->len, data, len);
    body->len += len;
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct http_body *body = parser->data;

    body->complete = body->status >= 200; /* informational ones precede it */
    return body->complete ? HPE_PAUSED : 0;
}

void http_body_init(struct http_body *body, size_t len_max)
{
    *body = (struct http_body){.len_max = len_max};
    llhttp_settings_init(&body->settings);
    body->settings.on_headers_complete = on_headers_complete;
    body->settings.on_body = on_body;
    body->settings.on_message_complete = on_message_complete;
    llhttp_init(&body->parser, HTTP_RESPONSE, &body->settings);
    body->parser.data = body;
}

static enum progress fail(const struct http_body *body, struct fault *fault)
{
    const char *why = body->received == 0 ? "the connection ended without an answer"
                      : body->no_memory   ? "out of memory"
                      : body->too_large   ? "the answer is too large"
                                          : "the answer is not valid HTTP";

    return fault_set(fault, RELAY_CLIENT_FAULT_HTTP, "%s", why);
}

enum progress http_body_feed(struct http_body *body, const char *data, size_t len,
                             struct fault *fault)
{
    llhttp_errno_t error =
        len == 0 ? llhttp_finish(&body->parser) : llhttp_execute(&body->parser, data, len);

    body->received += len;
    body->too_large = body->too_large || body->received > body->len + HTTP_BODY_HEAD_BYTES_MAX;
    if (body->complete) {
        return PROGRESS_DONE;
    }
    return error != HPE_OK || len == 0 || body->too_large ? fail(body, fault) : PROGRESS_WAIT;
}

void http_body_release(struct http_body *body)
{
    free(body->data);
    *body = (struct http_body){0};
}
