/* Reaches http_request_parse, http_request_field and http_request_field_has_token. One request is
 * read whole, byte by byte and in random pieces: result, content and remaining input must agree. An
 * accepted request is written again in its plainest form and must parse the same. Input: one byte
 * that cuts, then the request. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fuzz/split.h"
#include "wire/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each piece is a heap block of its own, freed at once: what points into it is found. */
static enum http_request_result parse(struct http_request *request, struct bytes *input,
                                      struct split split)
{
    enum http_request_result result = HTTP_REQUEST_MORE;

    http_request_init(request);
    while (result == HTTP_REQUEST_MORE && input->len > 0) {
        size_t len = split_next(&split, input->len);
        uint8_t *piece = malloc(len);

        CHECK(piece != NULL);
        memcpy(piece, input->data, len);
        struct bytes left = bytes_of(piece, len);

        result = http_request_parse(request, &left);
        CHECK(result != HTTP_REQUEST_MORE || left.len == 0);
        *input = bytes_skip(*input, len - left.len);
        free(piece);
    }
    return result;
}

static void expect_same(const struct http_request *a, const struct http_request *b)
{
    CHECK(strcmp(a->method, b->method) == 0);
    CHECK(bytes_equal(a->target, b->target));
    CHECK(a->fields_count == b->fields_count);
    for (unsigned i = 0; i < a->fields_count; i++) {
        CHECK(bytes_equal(a->fields[i].name, b->fields[i].name));
        CHECK(bytes_equal(a->fields[i].value, b->fields[i].value));
    }
    CHECK(a->minor_version == b->minor_version && a->keep_alive == b->keep_alive);
    CHECK(http_request_is_head(a) == http_request_is_head(b));
    CHECK(a->has_body == b->has_body && a->is_upgrade == b->is_upgrade);
}

static bool is_clean(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\0' || text.data[i] == '\r' || text.data[i] == '\n') {
            return false;
        }
    }
    return true;
}

static unsigned count_named(const struct http_request *request, const char *name)
{
    unsigned count = 0;

    for (unsigned i = 0; i < request->fields_count; i++) {
        count += bytes_equal_text_nocase(request->fields[i].name, name);
    }
    return count;
}

static void expect_safe(const struct http_request *request)
{
    unsigned lengths = count_named(request, "Content-Length");
    unsigned encodings = count_named(request, "Transfer-Encoding");
    struct bytes value;

    CHECK(request->method[0] != '\0' && request->minor_version <= 1);
    CHECK(request->target.len > 0 && request->target.len <= HTTP_TARGET_BYTES_MAX);
    CHECK(is_clean(request->target));
    CHECK(bytes_find(request->target, ' ') == request->target.len);
    CHECK(lengths + encodings <= 1);
    CHECK(count_named(request, "Host") == 1 || request->minor_version == 0);
    CHECK(http_request_is_head(request) == (strcmp(request->method, "HEAD") == 0));
    CHECK(!request->has_body || lengths + encodings == 1);
    for (unsigned i = 0; i < request->fields_count; i++) {
        CHECK(request->fields[i].name.len > 0 && is_clean(request->fields[i].name));
        CHECK(is_clean(request->fields[i].value));
        CHECK(bytes_trim(request->fields[i].value).len == request->fields[i].value.len);
    }
    if (request->is_upgrade) {
        CHECK(http_request_field(request, "UPGRADE", &value));
        CHECK(http_request_field_has_token(request, "connection", "UPGRADE"));
    }
}

static void append(char *text, size_t *len, struct bytes more)
{
    CHECK(more.len <= HTTP_HEAD_BYTES_MAX * 2 - *len);
    if (more.len > 0) {
        memcpy(text + *len, more.data, more.len);
    }
    *len += more.len;
}

/* The same head, with one space after each colon and none before the line end. */
static size_t write_head(const struct http_request *request, char *text)
{
    size_t len = 0;
    char version[16];

    snprintf(version, sizeof version, " HTTP/1.%u\r\n", (unsigned)request->minor_version);
    append(text, &len, bytes_of_text(request->method));
    append(text, &len, bytes_of_text(" "));
    append(text, &len, request->target);
    append(text, &len, bytes_of_text(version));
    for (unsigned i = 0; i < request->fields_count; i++) {
        append(text, &len, request->fields[i].name);
        append(text, &len, bytes_of_text(": "));
        append(text, &len, request->fields[i].value);
        append(text, &len, bytes_of_text("\r\n"));
    }
    append(text, &len, bytes_of_text("\r\n"));
    return len;
}

static void expect_round_trip(const struct http_request *request)
{
    static struct http_request again;
    static char text[HTTP_HEAD_BYTES_MAX * 2];
    struct bytes input = bytes_of(text, write_head(request, text));

    if (request->has_body || count_named(request, "Transfer-Encoding") > 0 ||
        input.len > HTTP_HEAD_BYTES_MAX) {
        return; /* "a:b" grows by one byte, so a head at the limit may not fit again */
    }
    CHECK(parse(&again, &input, (struct split){.state = SPLIT_WHOLE}) == HTTP_REQUEST_OK);
    CHECK(input.len == 0);
    expect_same(request, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_request whole, single, cut;

    if (size < 1) {
        return 0;
    }
    struct bytes left = bytes_of(data + 1, size - 1), left_single = left, left_cut = left;
    enum http_request_result result = parse(&whole, &left, (struct split){.state = SPLIT_WHOLE});

    CHECK(parse(&single, &left_single, (struct split){.state = SPLIT_SINGLE_BYTES}) == result);
    CHECK(parse(&cut, &left_cut, (struct split){.state = data[0]}) == result);
    if (result != HTTP_REQUEST_OK) {
        return 0;
    }
    CHECK(left.len == left_single.len && left.len == left_cut.len);
    expect_same(&whole, &single);
    expect_same(&whole, &cut);
    expect_safe(&whole);
    expect_round_trip(&whole);
    return 0;
}
