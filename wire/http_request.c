#include "wire/http_request.h"

#include <string.h>

#include "base/check.h"
#include "wire/http_token.h"
#include "wire/request_target.h"

enum {
    /* A body in one-byte chunks, chunk extensions and trailers can be far longer than the
     * content. */
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

static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
    struct http_request *request = parser->data;

    if (request->fields_count == HTTP_FIELDS_MAX) {
        return stop(request, HTTP_REQUEST_HEAD_TOO_LARGE);
    }
    struct http_field *field = &request->fields[request->fields_count++];

    *field = (struct http_field){.name = bytes_of(at, len)};
    /* llhttp allows a space in names in some of its modes. */
    return http_is_token(field->name) ? 0 : stop(request, HTTP_REQUEST_MALFORMED);
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len)
{
    struct http_request *request = parser->data;

    if (request->fields_count > 0) {
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

static const llhttp_settings_t callbacks = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
};

void http_request_init(struct http_request *request)
{
    llhttp_init(&request->parser, HTTP_REQUEST, &callbacks);
    request->parser.data = request;
    request->method = "";
    request->target = bytes_of(NULL, 0);
    request->fields_count = 0;
    request->minor_version = 1;
    request->keep_alive = false;
    request->has_body = false;
    request->is_upgrade = false;
    request->expects_continue = false;
    request->failure = HTTP_REQUEST_OK;
    request->text_len = 0;
    request->line_start = 0;
    request->body_left = 0;
    request->body_len = 0;
    request->is_chunked = false;
    request->leaves_body = false;
    request->is_query = false;
    request->head_complete = false;
    request->complete = false;
}

void http_request_leave_body(struct http_request *request)
{
    request->leaves_body = true;
}

void http_request_wipe(struct http_request *request)
{
    bytes_wipe(request->text, request->text_len);
}

static unsigned fields_named(const struct http_request *request, const char *name)
{
    unsigned count = 0;

    for (unsigned i = 0; i < request->fields_count; i++) {
        count += bytes_equal_text_nocase(request->fields[i].name, name);
    }
    return count;
}

/* The shape and the version of the request line have been checked already, so llhttp can reject
 * only its target or its method. */
static enum http_request_result failure_of(const struct http_request *request, llhttp_errno_t error,
                                           bool in_request_line)
{
    if (request->failure != HTTP_REQUEST_OK) {
        return request->failure;
    }
    return in_request_line && error != HPE_INVALID_URL ? HTTP_REQUEST_NOT_IMPLEMENTED
                                                       : HTTP_REQUEST_MALFORMED;
}

/* The end of the body must be unambiguous, or a proxy in front of us could see different requests
 * in the same bytes (RFC 9112 §6.3, §11.2). llhttp's own checks differ between its versions. */
static enum http_request_result check_framing(const struct http_request *request)
{
    unsigned lengths = fields_named(request, "Content-Length");
    unsigned encodings = fields_named(request, "Transfer-Encoding");
    struct bytes value;
    uint64_t length;

    if (lengths > 1 || encodings > 1 ||
        (encodings > 0 && (lengths > 0 || request->minor_version == 0))) {
        return HTTP_REQUEST_MALFORMED;
    }
    if (lengths + encodings > 0 && request->parser.method == HTTP_CONNECT) {
        return HTTP_REQUEST_MALFORMED; /* llhttp would leave parsing the body to the caller */
    }
    if (!http_request_field(request, "Content-Length", &value)) {
        return HTTP_REQUEST_OK;
    }
    if (bytes_to_uint64(value, &length) != 0 || length != request->parser.content_length) {
        return HTTP_REQUEST_MALFORMED;
    }
    return length > HTTP_BODY_BYTES_MAX && !request->leaves_body ? HTTP_REQUEST_BODY_TOO_LARGE
                                                                 : HTTP_REQUEST_OK;
}

static enum http_request_result check_host(const struct http_request *request)
{
    unsigned hosts = fields_named(request, "Host");
    struct bytes host = {0};
    bool is_allowed = hosts == 1 || (hosts == 0 && request->minor_version == 0);

    http_request_field(request, "Host", &host);
    return is_allowed && request_target_authority_is_valid(host) ? HTTP_REQUEST_OK
                                                                 : HTTP_REQUEST_MALFORMED;
}

static void prepare_body(struct http_request *request)
{
    request->is_chunked = fields_named(request, "Transfer-Encoding") > 0;
    request->body_len = request->is_chunked ? 0 : request->parser.content_length;
    request->body_left = request->leaves_body ? 0 : (size_t)request->body_len;
    request->has_body = request->body_len > 0;
    request->complete = !request->is_chunked && request->body_len == 0;
    request->expects_continue = !request->complete && request->minor_version > 0 &&
                                http_request_field_has_token(request, "Expect", "100-continue");
    request->complete = request->complete || request->leaves_body;
    if (request->is_chunked) {
        http_chunked_init(&request->chunked, HTTP_BODY_BYTES_MAX, BODY_WIRE_BYTES_MAX);
    }
}

static const char *method_name(const struct http_request *request)
{
    if (request->leaves_body) {
        return request->any_method;
    }
    return request->is_query ? "QUERY"
                             : llhttp_method_name((llhttp_method_t)request->parser.method);
}

/* RFC 9112 §9.3, by our reading of the lists: llhttp's misses a token behind which a tab comes. */
static bool keeps_alive(const struct http_request *request)
{
    return !http_request_field_has_token(request, "Connection", "close") &&
           (request->minor_version > 0 ||
            http_request_field_has_token(request, "Connection", "keep-alive"));
}

static bool asks_for_upgrade(const struct http_request *request)
{
    return fields_named(request, "Upgrade") > 0 && request->parser.method != HTTP_CONNECT &&
           http_request_field_has_token(request, "Connection", "upgrade");
}

static enum http_request_result finish_head(struct http_request *request)
{
    request->method = method_name(request);
    request->keep_alive = keeps_alive(request);
    request->is_upgrade = asks_for_upgrade(request);
    enum http_request_result result = check_host(request);

    if (result == HTTP_REQUEST_OK) {
        result = check_framing(request);
    }
    if (result == HTTP_REQUEST_OK) {
        prepare_body(request);
    }
    return result;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static const char stand_in[] = "PATCH";

/* All registered methods are known. llhttp before 9.3 lacks QUERY, so it is given a method of the
 * same length that parses alike. line is in request->text. */
static enum http_request_result take_method(struct http_request *request, struct bytes line,
                                            struct bytes method)
{
    static const char query[] = "QUERY";

    if (request->leaves_body) {
        return bytes_to_text(method, request->any_method, sizeof request->any_method) == 0
                   ? HTTP_REQUEST_OK
                   : HTTP_REQUEST_NOT_IMPLEMENTED;
    }
    request->is_query = bytes_equal_text(method, query);
    if (request->is_query) {
        memcpy(request->text + request->line_start - line.len, stand_in, sizeof stand_in - 1);
    }
    return HTTP_REQUEST_OK;
}

/* Exactly one space on each side of the target (RFC 9112 §3): llhttp skips several, also takes RTSP
 * and ICE versions, and knows no HTTP/1.2, which must be read as 1.1 (RFC 9110 §2.5). line is in
 * request->text, where the version is set to one that llhttp knows. */
static enum http_request_result check_request_line(struct http_request *request, struct bytes line)
{
    static const char version_shape[] = "HTTP/1.1\r\n";
    enum { MAJOR_AT = 5, POINT_AT = 6, MINOR_AT = 7 };
    size_t method_len = bytes_find(line, ' ');
    struct bytes rest = bytes_skip(line, method_len + 1);
    size_t target_len = bytes_find(rest, ' ');
    struct bytes version = bytes_skip(rest, target_len + 1);

    if (!http_is_token(bytes_of(line.data, method_len)) || target_len == 0 ||
        version.len != sizeof version_shape - 1 || !bytes_start_with(version, "HTTP/") ||
        !is_digit(version.data[MAJOR_AT]) || version.data[POINT_AT] != '.' ||
        !is_digit(version.data[MINOR_AT])) {
        return HTTP_REQUEST_MALFORMED;
    }
    if (version.data[MAJOR_AT] != '1') {
        return HTTP_REQUEST_BAD_VERSION;
    }
    request->minor_version = version.data[MINOR_AT] == '0' ? 0 : 1;
    request->text[request->line_start - version.len + MINOR_AT] =
        (char)('0' + request->minor_version);
    return take_method(request, line, bytes_of(line.data, method_len));
}

/* Chunked must come last, once and without parameters, or the end of the body is unknown (RFC 9112
 * §6.3); codings before it are not implemented (§6.1). Versions of llhttp differ here. */
static enum http_request_result check_transfer_coding(struct bytes codings)
{
    size_t count = 0;

    while (true) {
        bool is_last = bytes_find(codings, ',') == codings.len;
        struct bytes coding = bytes_take_item(&codings);

        count++;
        if (bytes_equal_text_nocase(coding, "chunked") != is_last) {
            return HTTP_REQUEST_MALFORMED;
        }
        if (is_last) {
            return count == 1 ? HTTP_REQUEST_OK : HTTP_REQUEST_NOT_IMPLEMENTED;
        }
    }
}

/* Called before llhttp sees the line. */
static enum http_request_result check_line(struct http_request *request, struct bytes line)
{
    struct bytes content = bytes_of(line.data, line.len - 2);
    size_t name_len = bytes_find(content, ':');

    if (content.len == 0) {
        return HTTP_REQUEST_OK;
    }
    /* Rejects folded lines and empty names: llhttp would add their value to the previous field. */
    if (!http_is_token_char(content.data[0])) {
        return HTTP_REQUEST_MALFORMED;
    }
    if (request->target.len == 0) {
        return check_request_line(request, line);
    }
    if (bytes_equal_text_nocase(bytes_of(content.data, name_len), "Transfer-Encoding")) {
        return check_transfer_coding(bytes_trim(bytes_skip(content, name_len + 1)));
    }
    return HTTP_REQUEST_OK;
}

/* A method that llhttp need not know is kept from it: the stand-in is seen instead. */
static llhttp_errno_t execute(struct http_request *request, struct bytes line, bool in_request_line)
{
    if (in_request_line && request->leaves_body && line.len > 2) {
        line = bytes_skip(line, bytes_find(line, ' '));
        llhttp_errno_t error = llhttp_execute(&request->parser, stand_in, sizeof stand_in - 1);

        if (error != HPE_OK) {
            return error;
        }
    }
    return llhttp_execute(&request->parser, (const char *)line.data, line.len);
}

/* line: one whole line of the head with its end, in request->text. Lines must end in CR LF, may
 * hold no other CR, and may not continue the previous one (obs-fold): the lenient readings that RFC
 * 9112 §2.2 and §5.2 allow are what request smuggling exploits. */
static enum http_request_result parse_line(struct http_request *request, struct bytes line)
{
    if (line.len < 2 || bytes_find(line, '\r') != line.len - 2) {
        return fail(request, HTTP_REQUEST_MALFORMED);
    }
    bool in_request_line = request->target.len == 0;
    enum http_request_result checked = check_line(request, line);

    if (checked != HTTP_REQUEST_OK) {
        return fail(request, checked);
    }
    llhttp_errno_t error = execute(request, line, in_request_line);

    if (error == HPE_OK) {
        return HTTP_REQUEST_MORE;
    }
    if (error != HPE_PAUSED || !request->head_complete) {
        return fail(request, failure_of(request, error, in_request_line));
    }
    request->failure = finish_head(request);
    return request->failure;
}

/* Methods are tokens; an empty line may precede them (RFC 9112 §2.2). */
static bool is_first_char(uint8_t c)
{
    return http_is_token_char(c) || c == '\r';
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
    /* A TLS client on a plain port is refused at once, not at its deadline. */
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

static enum http_request_result parse_chunked(struct http_request *request, struct bytes *input)
{
    switch (http_chunked_parse(&request->chunked, input)) {
    case HTTP_CHUNKED_MORE:
        return HTTP_REQUEST_MORE;
    case HTTP_CHUNKED_MALFORMED:
        return fail(request, HTTP_REQUEST_MALFORMED);
    case HTTP_CHUNKED_TOO_LARGE:
        return fail(request, HTTP_REQUEST_BODY_TOO_LARGE);
    case HTTP_CHUNKED_OK:
        break;
    }
    request->has_body = request->chunked.content_len > 0;
    request->complete = true;
    return HTTP_REQUEST_OK;
}

static enum http_request_result parse_body(struct http_request *request, struct bytes *input)
{
    request->expects_continue = false; /* the client did not wait for 100 Continue */
    if (request->is_chunked) {
        return parse_chunked(request, input);
    }
    size_t len = input->len < request->body_left ? input->len : request->body_left;

    request->body_left -= len;
    *input = bytes_skip(*input, len);
    request->complete = request->body_left == 0;
    return request->complete ? HTTP_REQUEST_OK : HTTP_REQUEST_MORE;
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

bool http_request_is_head(const struct http_request *request)
{
    struct bytes text = bytes_of(request->text, request->text_len);

    while (bytes_start_with(text, "\r\n")) {
        text = bytes_skip(text, 2);
    }
    return bytes_start_with(text, "HEAD ");
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

bool http_request_field_has_token(const struct http_request *request, const char *name,
                                  const char *token)
{
    for (unsigned i = 0; i < request->fields_count; i++) {
        const struct http_field *field = &request->fields[i];

        if (bytes_equal_text_nocase(field->name, name) &&
            bytes_list_has_nocase(field->value, token)) {
            return true;
        }
    }
    return false;
}
