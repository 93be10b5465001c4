/* Reaches http_response_write and http_response_status_text. The output must be parsed by llhttp as
 * one whole response with the same status, version, persistence and body, in a buffer of exactly
 * its size, and must be refused by every smaller one tried. Input: 2 bytes of status, 1 of flags, 1
 * that chooses a smaller buffer, then content type, one extra field and the body, separated by
 * NUL. */
#include <errno.h>
#include <llhttp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "wire/http_response.h"

enum { HEAD = 4, RESPONSE_BYTES_MAX = 16384, TEXT_SIZE = 256 };
enum { FLAG_KEEP_ALIVE = 1, FLAG_HTTP_11 = 2, FLAG_HEAD_ONLY = 4 };

struct seen {
    uint8_t body[RESPONSE_BYTES_MAX];
    size_t body_len;
    bool head_only;
    bool keep_alive;
    bool is_complete;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Field values are ours, never a peer's: printable. */
static void take_text(struct bytes *input, char *text)
{
    size_t len = bytes_find(*input, '\0');
    size_t used = len < TEXT_SIZE - 1 ? len : TEXT_SIZE - 1;

    for (size_t i = 0; i < used; i++) {
        text[i] = (char)('!' + input->data[i] % 94);
    }
    text[used] = '\0';
    *input = bytes_skip(*input, len + 1);
}

static int on_headers_complete(llhttp_t *parser)
{
    struct seen *seen = parser->data;

    seen->keep_alive = llhttp_should_keep_alive(parser) != 0;
    return seen->head_only ? 1 : 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct seen *seen = parser->data;

    CHECK(len <= sizeof seen->body - seen->body_len);
    memcpy(seen->body + seen->body_len, at, len);
    seen->body_len += len;
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct seen *seen = parser->data;

    CHECK(!seen->is_complete);
    seen->is_complete = true;
    return 0;
}

static const llhttp_settings_t callbacks = {
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

static void expect_read_back(const struct http_response *response, const char *text, size_t len)
{
    static struct seen seen;
    bool has_body = !response->head_only && response->status != 204;
    llhttp_t parser;

    seen = (struct seen){.head_only = response->head_only};
    llhttp_init(&parser, HTTP_RESPONSE, &callbacks);
    parser.data = &seen;
    CHECK(llhttp_execute(&parser, text, len) == HPE_OK);
    CHECK(seen.is_complete && parser.status_code == response->status);
    CHECK(parser.http_minor == response->minor_version);
    CHECK(bytes_equal(bytes_of(seen.body, seen.body_len),
                      has_body ? response->body : bytes_of(NULL, 0)));
    CHECK(seen.keep_alive == response->keep_alive);
}

static void check_response(const struct http_response *response, unsigned smaller)
{
    static char text[RESPONSE_BYTES_MAX];
    int len = http_response_write(response, text, sizeof text);

    CHECK(len > 0);
    char *exact = malloc((size_t)len + 1);

    CHECK(exact != NULL);
    CHECK(http_response_write(response, exact, (size_t)len + 1) == len);
    CHECK(memcmp(exact, text, (size_t)len) == 0);
    free(exact);
    size_t small_size = (size_t)len * smaller / 256;
    char *small = malloc(small_size > 0 ? small_size : 1);

    CHECK(small != NULL);
    CHECK(small_size == 0 || http_response_write(response, small, small_size) == -ENOSPC);
    free(small);
    if (response->status != 101) {
        expect_read_back(response, text, (size_t)len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char content_type[TEXT_SIZE], extra[TEXT_SIZE], extra_line[TEXT_SIZE + 8] = "";

    if (size < HEAD || size > RESPONSE_BYTES_MAX / 2) {
        return 0;
    }
    struct bytes input = bytes_of(data + HEAD, size - HEAD);

    take_text(&input, content_type);
    take_text(&input, extra);
    if (extra[0] != '\0') {
        snprintf(extra_line, sizeof extra_line, "X-E: %s\r\n", extra);
    }
    struct http_response response = {
        .status = 200 + (data[0] | (unsigned)data[1] << 8) % 400,
        .content_type = content_type[0] == '\0' ? NULL : content_type,
        .body = input,
        .extra_fields = extra_line,
        .keep_alive = (data[2] & FLAG_KEEP_ALIVE) != 0,
        .minor_version = (data[2] & FLAG_HTTP_11) != 0,
        .head_only = (data[2] & FLAG_HEAD_ONLY) != 0,
    };

    if (response.status == 304) {
        response.head_only = true; /* never has a body (RFC 9110 §15.4.5) */
    }
    check_response(&response, data[3]);
    return 0;
}
