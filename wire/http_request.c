#include "wire/http_request.h"

#include <string.h>

#include "base/check.h"

enum {
    /* A body in one-byte chunks, chunk extensions and trailers can be far longer than what they
     * carry. */
    BODY_WIRE_BYTES_MAX = 2 * HTTP_BODY_BYTES_MAX,
};

static enum http_request_result fail(struct http_request *request, enum http_request_result failure)
{
    request->failure = failure;
    return failure;
}

/* Stops llhttp from inside a callback; http_request_parse then reports failure. */
static int stop(struct http_request *request, enum http_request_result failure)
{
    request->failure = failure;
    return -1;
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct http_request *request = parser->data;

    request->target = bytes_of(at, len);
    if (len > HTTP_TARGET_BYTES_MAX) {
        return stop(request, HTTP_REQUEST_TARGET_TOO_LONG);
    }
    for (size_t i = 0; i < len; i++) {
        if (request->target.data[i] <= ' ' || request->target.data[i] >= 0x7f) {
            return stop(request, HTTP_REQUEST_MALFORMED);
        }
    }
    return 0;
}

/* RFC 9110 §5.6.2. llhttp allows a space in names in some of its modes. */
static bool is_token_char(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
    struct http_request *request = parser->data;

    if (request->head_complete) {
        return 0; /* trailers are bounded and thrown away */
    }
    if (request->fields_count == HTTP_FIELDS_MAX) {
        return stop(request, HTTP_REQUEST_HEAD_TOO_LARGE);
    }
    struct http_field *field = &request->fields[request->fields_count++];

    *field = (struct http_field){.name = bytes_of(at, len)};
    for (size_t i = 0; i < len; i++) {
        if (!is_token_char(field->name.data[i])) {
            return stop(request, HTTP_REQUEST_MALFORMED);
        }
    }
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len)
{
    struct http_request *request = parser->data;

    if (!request->head_complete && request->fields_count > 0) {
        request->fields[request->fields_count - 1].value = bytes_trim(bytes_of(at, len));
    }
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http_request *request = parser->data;

    request->head_complete = true;
    return HPE_PAUSED;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct http_request *request = parser->data;

    request->body_len += len;
    return request->body_len > HTTP_BODY_BYTES_MAX ? stop(request, HTTP_REQUEST_BODY_TOO_LARGE) : 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct http_request *request = parser->data;

    request->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t callbacks = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void http_request_init(struct http_request *request)
{
    llhttp_init(&request->parser, HTTP_REQUEST, &callbacks);
    request->parser.data = request;
    request->method = "";
    request->target = bytes_of(NULL, 0);
    request->fields_count = 0;
    request->minor_version = 0;
    request->keep_alive = false;
    request->has_body = false;
    request->is_upgrade = false;
    request->failure = HTTP_REQUEST_OK;
    request->text_len = 0;
    request->line_start = 0;
    request->body_len = 0;
    request->body_wire_len = 0;
    request->head_complete = false;
    request->complete = false;
}

static unsigned fields_named(const struct http_request *request, const char *name)
{
    unsigned count = 0;

    for (unsigned i = 0; i < request->fields_count; i++) {
        count += bytes_equal_text_nocase(request->fields[i].name, name);
    }
    return count;
}

static enum http_request_result failure_of(const struct http_request *request, llhttp_errno_t error)
{
    if (request->failure != HTTP_REQUEST_OK) {
        return request->failure;
    }
    switch ((int)error) {
    case HPE_INVALID_VERSION:
    case HPE_PAUSED_H2_UPGRADE:
        return HTTP_REQUEST_UNSUPPORTED;
    case HPE_INVALID_TRANSFER_ENCODING:
        /* llhttp 9 has the same error for a Content-Length beside it. */
        return fields_named(request, "Content-Length") > 0 ? HTTP_REQUEST_MALFORMED
                                                           : HTTP_REQUEST_UNSUPPORTED;
    default:
        return HTTP_REQUEST_MALFORMED;
    }
}

/* What delimits the body must be beyond doubt, or a proxy before us could see other requests in the
 * same bytes (RFC 9112 §6.3, §11.2). llhttp's own checks differ between its versions. */
static enum http_request_result check_framing(const struct http_request *request)
{
    unsigned lengths = fields_named(request, "Content-Length");
    unsigned encodings = fields_named(request, "Transfer-Encoding");
    struct bytes value;
    uint64_t length;

    if (lengths > 1 || (encodings > 0 && (lengths > 0 || request->minor_version == 0))) {
        return HTTP_REQUEST_MALFORMED;
    }
    if (encodings > 1) {
        return HTTP_REQUEST_UNSUPPORTED;
    }
    if (lengths + encodings > 0 && request->parser.method == HTTP_CONNECT) {
        return HTTP_REQUEST_MALFORMED; /* llhttp would leave the body to the caller */
    }
    if (http_request_field(request, "Transfer-Encoding", &value)) {
        return bytes_equal_text_nocase(value, "chunked") ? HTTP_REQUEST_OK
                                                         : HTTP_REQUEST_UNSUPPORTED;
    }
    if (!http_request_field(request, "Content-Length", &value)) {
        return HTTP_REQUEST_OK;
    }
    if (bytes_to_uint64(value, &length) != 0 || length != request->parser.content_length) {
        return HTTP_REQUEST_MALFORMED;
    }
    return length > HTTP_BODY_BYTES_MAX ? HTTP_REQUEST_BODY_TOO_LARGE : HTTP_REQUEST_OK;
}

static enum http_request_result check_host(const struct http_request *request)
{
    unsigned hosts = fields_named(request, "Host");
    bool is_allowed = hosts == 1 || (hosts == 0 && request->minor_version == 0);

    return is_allowed ? HTTP_REQUEST_OK : HTTP_REQUEST_MALFORMED;
}

static enum http_request_result finish_head(struct http_request *request)
{
    const llhttp_t *parser = &request->parser;

    if (parser->http_major != 1 || parser->http_minor > 1) {
        return HTTP_REQUEST_UNSUPPORTED;
    }
    request->method = llhttp_method_name((llhttp_method_t)parser->method);
    request->minor_version = parser->http_minor;
    request->keep_alive = llhttp_should_keep_alive(parser) != 0;
    request->is_upgrade = parser->upgrade != 0 && parser->method != HTTP_CONNECT;
    enum http_request_result result = check_host(request);

    if (result == HTTP_REQUEST_OK) {
        result = check_framing(request);
    }
    if (result == HTTP_REQUEST_OK) {
        bool is_chunked = fields_named(request, "Transfer-Encoding") > 0;

        request->complete = !is_chunked && parser->content_length == 0;
        llhttp_resume(&request->parser);
    }
    return result;
}

/* Exactly one space on each side of the target (RFC 9112 §3). llhttp skips several, and also takes
 * RTSP and ICE versions. */
static bool is_request_line(struct bytes line)
{
    static const char version_shape[] = "HTTP/1.1\r\n";
    struct bytes rest = bytes_skip(line, bytes_find(line, ' ') + 1);
    size_t target_len = bytes_find(rest, ' ');
    struct bytes version = bytes_skip(rest, target_len + 1);

    return target_len > 0 && version.len == sizeof version_shape - 1 &&
           bytes_start_with(version, "HTTP/");
}

/* line: one whole line of the head with its end, in request->text. Lines must end in CR LF, may
 * hold no other CR, and may not continue the one before (obs-fold): the other readings that RFC
 * 9112 §2.2 and §5.2 allow are those that requests are smuggled with. */
static enum http_request_result parse_line(struct http_request *request, struct bytes line)
{
    if (line.len < 2 || bytes_find(line, '\r') != line.len - 2) {
        return fail(request, HTTP_REQUEST_MALFORMED);
    }
    /* No folded line, and no empty name: llhttp would add its value to the field before. */
    if (line.len > 2 && !is_token_char(line.data[0])) {
        return fail(request, HTTP_REQUEST_MALFORMED);
    }
    if (request->target.len == 0 && line.len > 2 && !is_request_line(line)) {
        return fail(request, HTTP_REQUEST_MALFORMED);
    }
    llhttp_errno_t error = llhttp_execute(&request->parser, (const char *)line.data, line.len);

    if (error == HPE_OK) {
        return HTTP_REQUEST_MORE;
    }
    if (error != HPE_PAUSED || !request->head_complete) {
        return fail(request, failure_of(request, error));
    }
    request->failure = finish_head(request);
    return request->failure;
}

/* Methods are upper-case letters; an empty line may come before (RFC 9112 §2.2). */
static bool is_first_char(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || c == '\r';
}

static enum http_request_result overflow(struct http_request *request)
{
    bool in_request_line = request->target.len == 0;

    return fail(request,
                in_request_line ? HTTP_REQUEST_TARGET_TOO_LONG : HTTP_REQUEST_HEAD_TOO_LARGE);
}

/* Collects the head in request->text, where the fields point, and gives llhttp whole lines only:
 * it then never splits a name or a value. */
static enum http_request_result parse_head(struct http_request *request, struct bytes *input)
{
    /* A TLS client at a plain port is told at once, not when its deadline ends. */
    if (request->text_len == 0 && input->len > 0 && !is_first_char(input->data[0])) {
        return fail(request, HTTP_REQUEST_MALFORMED);
    }
    while (input->len > 0) {
        size_t len = bytes_find(*input, '\n');
        bool is_whole_line = len < input->len;

        len += is_whole_line;
        if (len > sizeof request->text - request->text_len) {
            return overflow(request);
        }
        memcpy(request->text + request->text_len, input->data, len);
        request->text_len += len;
        *input = bytes_skip(*input, len);
        if (!is_whole_line) {
            break;
        }
        struct bytes line =
            bytes_of(request->text + request->line_start, request->text_len - request->line_start);

        request->line_start = request->text_len;
        enum http_request_result result = parse_line(request, line);

        if (result != HTTP_REQUEST_MORE) {
            return result;
        }
    }
    return HTTP_REQUEST_MORE;
}

static enum http_request_result parse_body(struct http_request *request, struct bytes *input)
{
    const char *data = (const char *)input->data;
    size_t room = BODY_WIRE_BYTES_MAX - request->body_wire_len;
    size_t len = input->len < room ? input->len : room;
    llhttp_errno_t error = llhttp_execute(&request->parser, data, len);

    if (error == HPE_PAUSED && request->complete) {
        len = (size_t)(llhttp_get_error_pos(&request->parser) - data);
        request->has_body = request->body_len > 0;
    } else if (error != HPE_OK) {
        return fail(request, failure_of(request, error));
    }
    request->body_wire_len += len;
    *input = bytes_skip(*input, len);
    if (request->complete) {
        return HTTP_REQUEST_OK;
    }
    return input->len > 0 ? fail(request, HTTP_REQUEST_BODY_TOO_LARGE) : HTTP_REQUEST_MORE;
}

enum http_request_result http_request_parse(struct http_request *request, struct bytes *input)
{
    CHECK(!request->complete);
    if (request->failure != HTTP_REQUEST_OK) {
        return request->failure;
    }
    if (!request->head_complete) {
        enum http_request_result result = parse_head(request, input);

        if (result != HTTP_REQUEST_OK || request->complete) {
            return result;
        }
    }
    return input->len == 0 ? HTTP_REQUEST_MORE : parse_body(request, input);
}

bool http_request_field(const struct http_request *request, const char *name,
                        struct bytes *ret_value)
{
    for (unsigned i = 0; i < request->fields_count; i++) {
        if (bytes_equal_text_nocase(request->fields[i].name, name)) {
            *ret_value = request->fields[i].value;
            return true;
        }
    }
    return false;
}

void http_request_field_text(const struct http_request *request, const char *name, char *text,
                             size_t size)
{
    struct bytes value = {0};

    http_request_field(request, name, &value);
    value.len = value.len < size ? value.len : size - 1;
    if (value.data != NULL) {
        memcpy(text, value.data, value.len);
    }
    text[value.len] = '\0';
}

bool http_request_last_field(const struct http_request *request, const char *name,
                             struct bytes *ret_value)
{
    for (unsigned i = request->fields_count; i > 0; i--) {
        if (bytes_equal_text_nocase(request->fields[i - 1].name, name)) {
            *ret_value = request->fields[i - 1].value;
            return true;
        }
    }
    return false;
}

static bool list_has_token(struct bytes list, const char *token)
{
    while (list.len > 0) {
        size_t len = bytes_find(list, ',');

        if (bytes_equal_text_nocase(bytes_trim(bytes_of(list.data, len)), token)) {
            return true;
        }
        list = bytes_skip(list, len + 1);
    }
    return false;
}

bool http_request_field_has_token(const struct http_request *request, const char *name,
                                  const char *token)
{
    for (unsigned i = 0; i < request->fields_count; i++) {
        const struct http_field *field = &request->fields[i];

        if (bytes_equal_text_nocase(field->name, name) && list_has_token(field->value, token)) {
            return true;
        }
    }
    return false;
}
