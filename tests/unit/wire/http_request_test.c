/* Goal: http_request_parse accepts well-formed HTTP/1.0 and 1.1 requests and refuses everything
 * whose length or meaning two parsers could see differently, whatever the cuts.
 * Method: tables of requests, each fed whole, byte by byte and in two pieces; generated requests at
 * each limit and one byte past it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/http_request.h"

#define HOST "Host: a\r\n"

/* Bytes after the request on the connection; none of them may be consumed. */
static const char rest[] = "\x81\x80rest";

/* step: bytes for each call. */
static enum http_request_result feed(struct http_request *request, struct bytes *input, size_t step)
{
    enum http_request_result result = HTTP_REQUEST_MORE;

    http_request_init(request);
    while (result == HTTP_REQUEST_MORE && input->len > 0) {
        size_t len = input->len < step ? input->len : step;
        /* A copy of exactly this size: the sanitizer sees reads past it, and nothing may point into
         * it afterwards. */
        uint8_t *piece = malloc(len);

        memcpy(piece, input->data, len);
        struct bytes left = bytes_of(piece, len);

        result = http_request_parse(request, &left);
        *input = bytes_skip(*input, len - left.len);
        cr_assert(result != HTTP_REQUEST_MORE || left.len == 0, "MORE means all was used");
        free(piece);
    }
    return result;
}

static const size_t steps[] = {1, 2, 3, 7, 64, 100000};

enum { STEPS_COUNT = sizeof steps / sizeof steps[0] };

static void expect_bytes(struct bytes actual, const char *expected)
{
    cr_assert(bytes_equal_text(actual, expected), "\"%.*s\" is not \"%s\"", (int)actual.len,
              (const char *)actual.data, expected);
}

static const struct {
    const char *text;
    const char *method;
    const char *target;
    unsigned fields_count;
    uint8_t minor_version;
    bool keep_alive;
    bool has_body;
    bool is_upgrade;
} accepted[] = {
    {"GET / HTTP/1.1\r\n" HOST "\r\n", "GET", "/", 1, 1, true, false, false},
    {"\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", "GET", "/", 1, 1, true, false, false},
    {"GET / HTTP/1.2\r\n" HOST "\r\n", "GET", "/", 1, 1, true, false, false},
    {"GET / HTTP/1.9\r\n" HOST "Connection: close\r\n\r\n", "GET", "/", 2, 1, false, false, false},
    {"GET / HTTP/1.0\r\n\r\n", "GET", "/", 0, 0, false, false, false},
    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET", "/", 1, 0, true, false, false},
    {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "GET", "/", 2, 1, false, false, false},
    {"HEAD /a?b=c HTTP/1.1\r\nhOST:a\r\n\r\n", "HEAD", "/a?b=c", 1, 1, true, false, false},
    {"QUERY /a HTTP/1.1\r\n" HOST "\r\n", "QUERY", "/a", 1, 1, true, false, false},
    {"PATCH /a HTTP/1.1\r\n" HOST "\r\n", "PATCH", "/a", 1, 1, true, false, false},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS", "*", 1, 1, true, false, false},
    {"GET http://a/b HTTP/1.1\r\n" HOST "\r\n", "GET", "http://a/b", 1, 1, true, false, false},
    {"CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n", "CONNECT", "a:80", 1, 1, true, false, false},
    {"POST /session/x HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "POST", "/session/x", 2, 1,
     true, false, false},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}", "POST", "/", 2, 1, true, true,
     false},
    {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", "POST", "/",
     3, 1, true, true, false},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "POST", "/", 2, 1,
     true, false, false},
    {"PUT / HTTP/1.1\r\n" HOST "transfer-encoding: Chunked\r\n\r\n"
     "2;x=y\r\n{}\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n",
     "PUT", "/", 2, 1, true, true, false},
    {"GET /session/t HTTP/1.1\r\n" HOST
     "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n",
     "GET", "/session/t", 3, 1, true, false, true},
    {"GET /session/t HTTP/1.1\r\n" HOST
     "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\t\t\r\n\r\n",
     "GET", "/session/t", 3, 1, true, false, true},
    {"GET / HTTP/1.1\r\n" HOST "Connection: te\t,\tclose\t\r\n\r\n", "GET", "/", 2, 1, false, false,
     false},
    {"GET / HTTP/1.0\r\nConnection: keep-alive\t\r\n\r\n", "GET", "/", 1, 0, true, false, false},
    {"GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: "
     "1\r\n\r\n.",
     "GET", "/", 4, 1, true, true, true},
    {"GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n\r\n", "GET", "/", 2, 1, true, false, false},
    {"GET / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\n\r\n", "GET", "/", 2, 1, true, false, false},
    {"GET / HTTP/1.1\r\nHost:\r\nX-Utf8: \xc3\xbc\r\nX-Tab: a\tb\r\n\r\n", "GET", "/", 3, 1, true,
     false, false},
};

static void check_accepted(size_t index, size_t step)
{
    struct http_request request;
    char text[512];
    int len = snprintf(text, sizeof text, "%s%s", accepted[index].text, rest);
    struct bytes input = bytes_of(text, (size_t)len);

    cr_assert_eq(feed(&request, &input, step), HTTP_REQUEST_OK, "%s", accepted[index].text);
    expect_bytes(input, rest);
    cr_assert_str_eq(request.method, accepted[index].method);
    expect_bytes(request.target, accepted[index].target);
    cr_assert_eq(request.fields_count, accepted[index].fields_count, "%s", accepted[index].text);
    cr_assert_eq(request.minor_version, accepted[index].minor_version);
    cr_assert_eq(request.keep_alive, accepted[index].keep_alive, "%s", accepted[index].text);
    cr_assert_eq(request.has_body, accepted[index].has_body, "%s", accepted[index].text);
    cr_assert_eq(request.is_upgrade, accepted[index].is_upgrade, "%s", accepted[index].text);
}

Test(http_request, accepts_well_formed_requests_and_leaves_what_follows)
{
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        for (size_t step = 0; step < STEPS_COUNT; step++) {
            check_accepted(i, steps[step]);
        }
    }
}

static const struct {
    const char *text;
    enum http_request_result result;
} refused[] = {
    /* Request lines. */
    {"get / HTTP/1.1\r\n" HOST "\r\n", HTTP_REQUEST_NOT_IMPLEMENTED},
    {"\x16\x03\x01\x02", HTTP_REQUEST_MALFORMED},
    {"BREW / HTTP/1.1\r\n" HOST "\r\n", HTTP_REQUEST_NOT_IMPLEMENTED},
    {"GETX / HTTP/1.1\r\n" HOST "\r\n", HTTP_REQUEST_NOT_IMPLEMENTED},
    {"DESCRIBE / HTTP/1.1\r\n" HOST "\r\n", HTTP_REQUEST_NOT_IMPLEMENTED},
    {"G(T / HTTP/1.1\r\n" HOST "\r\n", HTTP_REQUEST_MALFORMED},
    {"GET\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"GET /\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"GET  / HTTP/1.1\r\n" HOST "\r\n", HTTP_REQUEST_MALFORMED},
    {"GET /  HTTP/1.1\r\n" HOST "\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.1 \r\n" HOST "\r\n", HTTP_REQUEST_MALFORMED},
    {"GET /a b HTTP/1.1\r\n" HOST "\r\n", HTTP_REQUEST_MALFORMED},
    {"GET /\xc3\xbc HTTP/1.1\r\n" HOST "\r\n", HTTP_REQUEST_MALFORMED},
    {"GET /\x7f HTTP/1.1\r\n" HOST "\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / RTSP/1.0\r\n" HOST "\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / http/1.1\r\n" HOST "\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.10\r\n" HOST "\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1:1\r\n" HOST "\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.x\r\n" HOST "\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/2.0\r\n" HOST "\r\n", HTTP_REQUEST_BAD_VERSION},
    {"GET / HTTP/0.9\r\n" HOST "\r\n", HTTP_REQUEST_BAD_VERSION},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP_REQUEST_BAD_VERSION},
    /* Line ends and folding. */
    {"GET / HTTP/1.1\n" HOST "\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: a\n\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST "\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST "X: a\rY: b\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST "X: a\r\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.1\r\n " HOST "\r\n", HTTP_REQUEST_MALFORMED},
    /* Fields. */
    {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST "a b: c\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST ": c\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST "abc\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST "a(b: c\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST "a\xc3\xbc: c\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST "a: \x01\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.1\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.0\r\n" HOST HOST "\r\n", HTTP_REQUEST_MALFORMED},
    /* Where the body ends. */
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
     HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\nTransfer-Encoding: identity\r\n\r\n",
     HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
     HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
     HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\nhello", HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5 5\r\n\r\nhello", HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\nhello", HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\nhello", HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\nhello", HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551621\r\n\r\nhello",
     HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 65537\r\n\r\n", HTTP_REQUEST_BODY_TOO_LARGE},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551615\r\n\r\n",
     HTTP_REQUEST_BODY_TOO_LARGE},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
     HTTP_REQUEST_NOT_IMPLEMENTED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
     HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
     HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n",
     HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
     HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
     HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST
     "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     HTTP_REQUEST_MALFORMED},
    {"CONNECT a:80 HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nGET ", HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx\r\n", HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n-1\r\n", HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
     HTTP_REQUEST_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n10001",
     HTTP_REQUEST_BODY_TOO_LARGE},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff",
     HTTP_REQUEST_BODY_TOO_LARGE},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\n",
     HTTP_REQUEST_MALFORMED},
    /* Hosts. */
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HTTP_REQUEST_MALFORMED},
    {"GET / HTTP/1.0\r\nHost: user@a\r\n\r\n", HTTP_REQUEST_MALFORMED},
};

Test(http_request, refuses_malformed_ambiguous_and_unsupported_requests)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        for (size_t step = 0; step < STEPS_COUNT; step++) {
            struct http_request request;
            struct bytes input = bytes_of_text(refused[i].text);
            struct bytes more = bytes_of_text("GET / HTTP/1.1\r\n" HOST "\r\n");

            cr_assert_eq(feed(&request, &input, steps[step]), refused[i].result, "step %zu: %s",
                         steps[step], refused[i].text);
            cr_assert_eq(http_request_parse(&request, &more), refused[i].result,
                         "errors are final: %s", refused[i].text);
        }
    }
}

/* Every prefix of a good request asks for more, and nothing else. */
Test(http_request, asks_for_more_until_the_last_byte)
{
    static const char text[] = "POST /x HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc";

    for (size_t len = 0; len < sizeof text - 1; len++) {
        struct http_request request;
        struct bytes input = bytes_of(text, len);

        http_request_init(&request);
        cr_assert_eq(http_request_parse(&request, &input), HTTP_REQUEST_MORE, "%zu bytes", len);
        input = bytes_of(text + len, sizeof text - 1 - len);
        cr_assert_eq(http_request_parse(&request, &input), HTTP_REQUEST_OK, "cut at %zu", len);
    }
}

Test(http_request, refuses_a_nul_byte_anywhere_in_the_head)
{
    static const char text[] = "GET /x HTTP/1.1\r\n" HOST "A: b\r\n\r\n";

    for (size_t at = 0; at < sizeof text - 1; at++) {
        struct http_request request;
        char bad[sizeof text];
        struct bytes input = bytes_of(bad, sizeof text - 1);

        memcpy(bad, text, sizeof text);
        bad[at] = '\0';
        cr_assert_neq(feed(&request, &input, sizeof text), HTTP_REQUEST_OK, "NUL at %zu", at);
    }
}

Test(http_request, keeps_fields_in_order_and_trims_their_values)
{
    static const char text[] =
        "GET / HTTP/1.1\r\nHost: h\r\nA:  1 2\t \r\nb:\r\na: 3\r\nC:   \r\n\r\n";
    static const char *const expected[][2] = {
        {"Host", "h"}, {"A", "1 2"}, {"b", ""}, {"a", "3"}, {"C", ""}};

    for (size_t step = 0; step < STEPS_COUNT; step++) {
        struct http_request request;
        struct bytes input = bytes_of_text(text);

        cr_assert_eq(feed(&request, &input, steps[step]), HTTP_REQUEST_OK);
        cr_assert_eq(request.fields_count, 5);
        for (size_t i = 0; i < 5; i++) {
            expect_bytes(request.fields[i].name, expected[i][0]);
            expect_bytes(request.fields[i].value, expected[i][1]);
        }
    }
}

Test(http_request, finds_the_first_field_of_a_name_in_any_case)
{
    struct http_request request;
    struct bytes input = bytes_of_text("GET / HTTP/1.1\r\n" HOST "X-A: 1\r\nx-a: 2\r\n\r\n");
    struct bytes value = bytes_of_text("untouched");

    cr_assert_eq(feed(&request, &input, 100), HTTP_REQUEST_OK);
    cr_assert(!http_request_field(&request, "X-B", &value));
    expect_bytes(value, "untouched");
    cr_assert(http_request_field(&request, "x-A", &value));
    expect_bytes(value, "1");
}

Test(http_request, finds_the_last_field_of_a_name_in_any_case)
{
    struct http_request request;
    struct bytes input =
        bytes_of_text("GET / HTTP/1.1\r\nX-A: 0\r\n" HOST "x-a: 1\r\nX-a: 2\r\nX-C: 3\r\n\r\n");
    struct bytes value = bytes_of_text("untouched");

    cr_assert_eq(feed(&request, &input, 100), HTTP_REQUEST_OK);
    cr_assert(!http_request_last_field(&request, "X-B", &value));
    expect_bytes(value, "untouched");
    cr_assert(http_request_last_field(&request, "x-A", &value));
    expect_bytes(value, "2");
    cr_assert(http_request_last_field(&request, "x-c", &value));
    expect_bytes(value, "3");
}

Test(http_request, finds_tokens_in_lists_of_all_fields_of_a_name)
{
    static const struct {
        const char *token;
        bool found;
    } cases[] = {{"one", true},   {"TWO", true},      {"three", true}, {"four", true},
                 {"five", false}, {"one two", false}, {"on", false},   {"", true}};
    struct http_request request;
    struct bytes input = bytes_of_text("GET / HTTP/1.1\r\n" HOST
                                       "L: one ,\ttwo,, THREE\r\nM: five\r\nl:four\r\n\r\n");

    cr_assert_eq(feed(&request, &input, 5), HTTP_REQUEST_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(http_request_field_has_token(&request, "l", cases[i].token), cases[i].found,
                     "%s", cases[i].token);
    }
}

Test(http_request, reads_pipelined_requests_one_at_a_time)
{
    struct http_request request;
    struct bytes input = bytes_of_text("POST /1 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
                                       "POST /2 HTTP/1.1\r\n" HOST
                                       "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
                                       "GET /3 HTTP/1.1\r\n" HOST "\r\n"
                                       "BAD\r\n");
    static const char *const targets[] = {"/1", "/2", "/3"};

    for (size_t i = 0; i < 3; i++) {
        http_request_init(&request);
        cr_assert_eq(http_request_parse(&request, &input), HTTP_REQUEST_OK, "request %zu", i);
        expect_bytes(request.target, targets[i]);
    }
    http_request_init(&request);
    cr_assert_eq(http_request_parse(&request, &input), HTTP_REQUEST_MALFORMED);
}

/* A request whose parts have given sizes. */
struct shape {
    size_t target_len;  /* 0: "/" */
    size_t value_len;   /* of one big field */
    size_t fields;      /* small ones */
    size_t body_len;    /* with Content-Length */
    size_t chunks;      /* of one byte each */
    size_t trailer_len; /* of one big trailer; only with chunks */
};

enum { SHAPE_BYTES_MAX = 1 << 20 };

static void append_run(char *text, size_t *len, char c, size_t count)
{
    memset(text + *len, c, count);
    *len += count;
}

static void append_text(char *text, size_t *len, const char *more)
{
    memcpy(text + *len, more, strlen(more));
    *len += strlen(more);
}

static size_t shape_write(const struct shape *shape, char *text)
{
    size_t len = 0;
    char line[64];

    append_text(text, &len, "POST /");
    append_run(text, &len, 't', shape->target_len > 0 ? shape->target_len - 1 : 0);
    append_text(text, &len, " HTTP/1.1\r\nHost: a\r\n");
    for (size_t i = 0; i < shape->fields; i++) {
        append_text(text, &len, "f: v\r\n");
    }
    if (shape->value_len > 0) {
        append_text(text, &len, "Big: ");
        append_run(text, &len, 'v', shape->value_len);
        append_text(text, &len, "\r\n");
    }
    if (shape->body_len > 0) {
        snprintf(line, sizeof line, "Content-Length: %zu\r\n", shape->body_len);
        append_text(text, &len, line);
    }
    append_text(text, &len, shape->chunks > 0 ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
    append_run(text, &len, 'b', shape->body_len);
    for (size_t i = 0; i < shape->chunks; i++) {
        append_text(text, &len, "1\r\nc\r\n");
    }
    append_text(text, &len, shape->chunks > 0 ? "0\r\n" : "");
    if (shape->trailer_len > 0) {
        append_text(text, &len, "t: ");
        append_run(text, &len, 't', shape->trailer_len);
        append_text(text, &len, "\r\n");
    }
    append_text(text, &len, shape->chunks > 0 ? "\r\n" : "");
    return len;
}

/* "POST / HTTP/1.1", "Host: a", "Big: ", and the line ends. */
enum { HEAD_AROUND_VALUE = 17 + 9 + 5 + 2 + 2 };

static const struct {
    struct shape shape;
    enum http_request_result result;
} limits[] = {
    {{.target_len = HTTP_TARGET_BYTES_MAX}, HTTP_REQUEST_OK},
    {{.target_len = HTTP_TARGET_BYTES_MAX + 1}, HTTP_REQUEST_TARGET_TOO_LONG},
    {{.target_len = HTTP_HEAD_BYTES_MAX * 2}, HTTP_REQUEST_TARGET_TOO_LONG},
    {{.value_len = 8192}, HTTP_REQUEST_OK},
    {{.value_len = HTTP_HEAD_BYTES_MAX - HEAD_AROUND_VALUE}, HTTP_REQUEST_OK},
    {{.value_len = HTTP_HEAD_BYTES_MAX - HEAD_AROUND_VALUE + 1}, HTTP_REQUEST_HEAD_TOO_LARGE},
    {{.value_len = HTTP_HEAD_BYTES_MAX * 2}, HTTP_REQUEST_HEAD_TOO_LARGE},
    {{.fields = HTTP_FIELDS_MAX - 1}, HTTP_REQUEST_OK},
    {{.fields = HTTP_FIELDS_MAX}, HTTP_REQUEST_HEAD_TOO_LARGE},
    {{.body_len = HTTP_BODY_BYTES_MAX}, HTTP_REQUEST_OK},
    {{.body_len = HTTP_BODY_BYTES_MAX + 1}, HTTP_REQUEST_BODY_TOO_LARGE},
    {{.chunks = 20000}, HTTP_REQUEST_OK},
    {{.chunks = HTTP_BODY_BYTES_MAX}, HTTP_REQUEST_BODY_TOO_LARGE},
    {{.chunks = 1, .trailer_len = 8192}, HTTP_REQUEST_OK},
    {{.chunks = 1, .trailer_len = HTTP_BODY_BYTES_MAX * 2}, HTTP_REQUEST_BODY_TOO_LARGE},
};

Test(http_request, holds_every_limit_to_the_byte)
{
    char *text = malloc(SHAPE_BYTES_MAX);

    cr_assert_not_null(text);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        size_t len = shape_write(&limits[i].shape, text);

        for (size_t step = 0; step < STEPS_COUNT; step++) {
            struct http_request request;
            struct bytes input = bytes_of(text, len);

            cr_assert_eq(feed(&request, &input, steps[step]), limits[i].result,
                         "limit %zu in steps of %zu", i, steps[step]);
        }
    }
    free(text);
}

Test(http_request, bounds_empty_lines_before_the_request)
{
    struct http_request request;
    enum http_request_result result = HTTP_REQUEST_MORE;
    size_t fed = 0;

    http_request_init(&request);
    for (; result == HTTP_REQUEST_MORE && fed <= HTTP_HEAD_BYTES_MAX; fed += 2) {
        struct bytes input = bytes_of_text("\r\n");

        result = http_request_parse(&request, &input);
    }
    cr_assert_eq(result, HTTP_REQUEST_TARGET_TOO_LONG, "after %zu bytes", fed);
}

Test(http_request, copies_as_much_of_a_field_as_fits)
{
    struct http_request request;
    struct bytes input = bytes_of_text("GET / HTTP/1.1\r\nX-A: 12345\r\n" HOST "X-E:\r\n\r\n");
    char text[4];

    cr_assert_eq(feed(&request, &input, 100), HTTP_REQUEST_OK);
    http_request_field_text(&request, "x-a", text, sizeof text);
    cr_assert_str_eq(text, "123");
    http_request_field_text(&request, "X-E", text, sizeof text);
    cr_assert_str_eq(text, "");
    http_request_field_text(&request, "X-None", text, sizeof text);
    cr_assert_str_eq(text, "");
}

/* RFC 9110 §10.1.1. */
Test(http_request, tells_of_a_client_that_waits_before_its_body)
{
    static const struct {
        const char *text;
        bool expects_continue;
    } cases[] = {
        {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", true},
        {"POST / HTTP/1.1\r\n" HOST "EXPECT: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n",
         true},
        {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{", false},
        {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n", false},
        {"POST / HTTP/1.1\r\n" HOST "Expect: x\r\nContent-Length: 2\r\n\r\n", false},
        {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t step = 0; step < STEPS_COUNT; step++) {
            struct http_request request;
            struct bytes input = bytes_of_text(cases[i].text);

            cr_assert_eq(feed(&request, &input, steps[step]), HTTP_REQUEST_MORE);
            cr_assert_eq(request.expects_continue, cases[i].expects_continue, "%s", cases[i].text);
        }
    }
}

/* RFC 9110 §9.3.2: an error is answered without content too. */
Test(http_request, knows_head_however_early_the_error)
{
    static const struct {
        const char *text;
        bool is_head;
    } cases[] = {
        {"HEAD / HTTP/1.1\r\n" HOST "\r\n", true},  {"HEAD / HTTP/3.0\r\n", true},
        {"\r\n\r\nHEAD / HTTP/1.1\r\nx\r\n", true}, {"HEAD ", true},
        {"GET / HTTP/1.1\r\n" HOST "\r\n", false},  {"HEAD", false},
        {"HEADER / HTTP/1.1\r\n", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_request request;
        struct bytes input = bytes_of_text(cases[i].text);

        (void)feed(&request, &input, 3);
        cr_assert_eq(http_request_is_head(&request), cases[i].is_head, "%s", cases[i].text);
    }
}

Test(http_request, leaves_nothing_of_a_wiped_request)
{
    static const char secret[] = "Authorization: secret";
    struct http_request request;
    struct bytes input = bytes_of_text("GET / HTTP/1.1\r\nAuthorization: secret\r\n");

    cr_assert_eq(feed(&request, &input, 5), HTTP_REQUEST_MORE);
    cr_assert_not_null(memmem(&request, sizeof request, secret, sizeof secret - 1));
    http_request_wipe(&request);
    cr_assert_null(memmem(&request, sizeof request, secret, 6));
}

Test(http_request, leaves_bodies_of_any_length_and_method_to_the_caller)
{
    static const struct {
        const char *text, *method;
        uint64_t body_len;
        bool is_chunked, expects_continue, is_head;
    } cases[] = {
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5000000000\r\nExpect: 100-continue\r\n\r\n",
         "POST", 5000000000, false, true, false},
        {"UPDATE / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", "UPDATE", 0, true,
         false, false},
        {"\r\nX / HTTP/1.0\r\n\r\n", "X", 0, false, false, false},
        {"HEAD / HTTP/1.1\r\n" HOST "\r\n", "HEAD", 0, false, false, true},
        {"QUERY / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n", "QUERY", 1, false, false, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t step = 1; step < 1000; step += 333) {
            static struct http_request request;
            struct bytes left = bytes_of_text(cases[i].text);
            enum http_request_result result = HTTP_REQUEST_MORE;

            http_request_init(&request);
            http_request_leave_body(&request);
            while (result == HTTP_REQUEST_MORE) {
                struct bytes piece = bytes_of(left.data, left.len < step ? left.len : step);

                left = bytes_skip(left, piece.len);
                result = http_request_parse(&request, &piece);
            }
            cr_assert_eq(result, HTTP_REQUEST_OK, "%zu", i);
            cr_assert_str_eq(request.method, cases[i].method);
            cr_assert_eq(request.body_len, cases[i].body_len);
            cr_assert_eq(request.is_chunked, cases[i].is_chunked);
            cr_assert_eq(request.expects_continue, cases[i].expects_continue);
            cr_assert_eq(http_request_is_head(&request), cases[i].is_head);
        }
    }
}

Test(http_request, refuses_methods_that_are_no_token_or_too_long)
{
    static struct http_request request;
    static const char too_long[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1\r\n" HOST "\r\n";
    struct bytes input = bytes_of_text(too_long);

    http_request_init(&request);
    http_request_leave_body(&request);
    cr_assert_eq(http_request_parse(&request, &input), HTTP_REQUEST_NOT_IMPLEMENTED);
    input = bytes_of_text("A(B / HTTP/1.1\r\n" HOST "\r\n");
    http_request_init(&request);
    http_request_leave_body(&request);
    cr_assert_eq(http_request_parse(&request, &input), HTTP_REQUEST_MALFORMED);
}
