#include "wire/http_response.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

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

const char *http_response_status_text(unsigned status)
{
    for (size_t i = 0; i < ARRAY_LENGTH(status_texts); i++) {
        if (status_texts[i].status == status) {
            return status_texts[i].text;
        }
    }
    return "Unknown";
}

/* Free space at the end of the caller's buffer; remembers an overflow. */
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

/* IMF-fixdate (RFC 9110 §5.6.7), whatever the locale. */
static void append_date(struct response_text *text, int64_t date_s)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t time = date_s;
    struct tm parts;

    if (gmtime_r(&time, &parts) != NULL) {
        append(text, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[parts.tm_wday],
               parts.tm_mday, months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour,
               parts.tm_min, parts.tm_sec);
    }
}

/* Fields of final responses that the caller does not choose. */
static void append_own_fields(struct response_text *text, const struct http_response *response)
{
    append_date(text, response->date_s);
    if (response->status == 401) {
        append(text, "WWW-Authenticate: Bearer realm=\"relay\"\r\n");
    }
    if (response->status != 204) {
        append(text, "Content-Length: %zu\r\n", response->body.len);
    }
    append_connection(text, response);
}

int http_response_write(const struct http_response *response, char *data, size_t size)
{
    struct response_text text = {.data = data, .size = size};
    bool is_interim = response->status < 200;
    bool has_content = !is_interim && response->status != 204;

    append(&text, "HTTP/1.%u %u %s\r\n", response->minor_version == 0 && !is_interim ? 0u : 1u,
           response->status, http_response_status_text(response->status));
    if (response->content_type != NULL) {
        append(&text, "Content-Type: %s\r\n", response->content_type);
    }
    if (!is_interim) {
        append_own_fields(&text, response);
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
