/* Reaches http_chunked_parse. One body is read whole, byte by byte and in random pieces: result,
 * length of the content and remaining input must agree; an accepted body ends in an empty line and
 * holds no bare LF outside its content. Input: one byte that cuts, then the body. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fuzz/split.h"
#include "wire/http_chunked.h"

enum { CONTENT_MAX = 1000, WIRE_MAX = 3000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each piece is a heap block of its own, freed at once: what points into it is found. */
static enum http_chunked_result parse(struct http_chunked *chunked, struct bytes *input,
                                      struct split split)
{
    enum http_chunked_result result = HTTP_CHUNKED_MORE;

    http_chunked_init(chunked, CONTENT_MAX, WIRE_MAX);
    while (result == HTTP_CHUNKED_MORE && input->len > 0) {
        size_t len = split_next(&split, input->len);
        uint8_t *piece = malloc(len);

        CHECK(piece != NULL);
        memcpy(piece, input->data, len);
        struct bytes left = bytes_of(piece, len);

        result = http_chunked_parse(chunked, &left);
        CHECK(result != HTTP_CHUNKED_MORE || left.len == 0);
        *input = bytes_skip(*input, len - left.len);
        free(piece);
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_chunked whole, single, cut;

    if (size < 1) {
        return 0;
    }
    struct bytes body = bytes_of(data + 1, size - 1), left = body, left_single = body,
                 left_cut = body;
    enum http_chunked_result result = parse(&whole, &left, (struct split){.state = SPLIT_WHOLE});

    CHECK(parse(&single, &left_single, (struct split){.state = SPLIT_SINGLE_BYTES}) == result);
    CHECK(parse(&cut, &left_cut, (struct split){.state = data[0]}) == result);
    CHECK(whole.content_len <= CONTENT_MAX);
    if (result == HTTP_CHUNKED_OK) {
        size_t used = body.len - left.len;

        CHECK(left.len == left_single.len && left.len == left_cut.len);
        CHECK(whole.content_len == single.content_len && whole.content_len == cut.content_len);
        CHECK(used >= 5 && used <= WIRE_MAX && memcmp(body.data + used - 4, "\r\n\r\n", 4) == 0);
        CHECK(whole.content_len <= used);
    }
    return 0;
}
