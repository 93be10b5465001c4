#include "wire/http_response.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    unsigned status;
    const char *text;
} status_texts[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

const char *http_status_text(unsigned status)
{
    for (size_t i = 0; i < ARRAY_LENGTH(status_texts); i++) {
        if (status_texts[i].status == status) {
            return status_texts[i].text;
        }
    }
    return "Unknown";
}

/* What is still free at the end of the caller's buffer; overflow is remembered. */
struct response_text {
    char *data;
    size_t size;
    size_t len;
    bool overflow;
};

PRINTF_LIKE(2, 3)
static void append(struct response_text *text, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int len = vsnprintf(text->data + text->len, text->size - text->len, format, arguments);

    va_end(arguments);
    if (len < 0 || (size_t)len >= text->size - text->len) {
        text->overflow = true;
        return;
    }
    text->len += (size_t)len;
}

static void append_connection(struct response_text *text, const struct http_response *response)
{
    if (!response->keep_alive) {
        append(text, "Connection: close\r\n");
    } else if (response->minor_version == 0) {
        append(text, "Connection: keep-alive\r\n");
    }
}

int http_response_write(const struct http_response *response, char *data, size_t size)
{
    struct response_text text = {.data = data, .size = size};
    bool is_upgrade = response->status == 101;
    bool has_content = !is_upgrade && response->status != 204;

    append(&text, "HTTP/1.%u %u %s\r\n", response->minor_version == 0 && !is_upgrade ? 0u : 1u,
           response->status, http_status_text(response->status));
    if (response->content_type != NULL) {
        append(&text, "Content-Type: %s\r\n", response->content_type);
    }
    if (has_content) {
        append(&text, "Content-Length: %zu\r\n", response->body.len);
    }
    if (!is_upgrade) {
        append_connection(&text, response);
    }
    append(&text, "%s\r\n", response->extra_fields);
    if (text.overflow) {
        return -ENOSPC;
    }
    if (!has_content || response->head_only || response->body.len == 0) {
        return (int)text.len;
    }
    if (response->body.len > size - text.len) {
        return -ENOSPC;
    }
    memcpy(data + text.len, response->body.data, response->body.len);
    return (int)(text.len + response->body.len);
}
