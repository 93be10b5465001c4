/* Reaches body_read and http_chunked_read. One body is read whole, byte by byte and in random
 * pieces: result, content and remaining input must agree. Input: a byte that cuts, a byte for the
 * kind of body, then the body. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fuzz/split.h"
#include "host/http/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
    enum body_result result;
    size_t left, content_len;
    uint64_t content_hash;
};

static void begin(struct body *body, uint8_t kind)
{
    static struct http_request request;

    request.is_chunked = kind % 2 == 0;
    request.body_len = request.is_chunked ? 0 : (uint64_t)kind + 1;
    body_init(body, &request);
}

/* Each piece is a heap block of its own, freed at once: what points into it is found. */
static void read_piece(struct body *body, const uint8_t *data, size_t len, struct reading *reading)
{
    uint8_t *piece = malloc(len);
    struct body_piece got;

    CHECK(piece != NULL);
    memcpy(piece, data, len);
    struct bytes left = bytes_of(piece, len);

    while (reading->result == BODY_MORE && left.len > 0) {
        reading->result = body_read(body, &left, &got);
        for (size_t i = 0; i < got.content.len; i++) {
            reading->content_hash = reading->content_hash * 31 + got.content.data[i];
        }
        reading->content_len += got.content.len;
    }
    reading->left -= len - left.len;
    free(piece);
}

static struct reading read_all(struct bytes all, uint8_t kind, struct split split)
{
    struct reading reading = {.result = BODY_MORE, .left = all.len};
    struct body body;

    begin(&body, kind);
    while (reading.result == BODY_MORE && reading.left > 0) {
        read_piece(&body, all.data + (all.len - reading.left), split_next(&split, reading.left),
                   &reading);
    }
    return reading;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct bytes all = bytes_of(data + 2, size - 2);
    struct reading whole = read_all(all, data[1], (struct split){.state = SPLIT_WHOLE});
    struct reading single = read_all(all, data[1], (struct split){.state = SPLIT_SINGLE_BYTES});
    struct reading cut = read_all(all, data[1], (struct split){.state = data[0]});

    CHECK(whole.result == single.result && whole.result == cut.result);
    CHECK(whole.content_len == single.content_len && whole.content_len == cut.content_len);
    CHECK(whole.content_hash == single.content_hash && whole.content_hash == cut.content_hash);
    CHECK(whole.result != BODY_OK || (whole.left == single.left && whole.left == cut.left));
    return 0;
}
