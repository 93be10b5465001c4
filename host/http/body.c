#include "host/http/body.h"

void body_init(struct body *body, const struct http_request *request)
{
    *body = (struct body){.is_chunked = request->is_chunked, .left = request->body_len};
    http_chunked_init(&body->chunked, BODY_CHUNK_BYTES_MAX, BODY_FRAMING_BYTES_MAX);
}

bool body_is_empty(const struct body *body)
{
    return !body->is_chunked && body->left == 0;
}

static enum body_result read_chunked(struct body *body, struct bytes *input,
                                     struct body_piece *ret_piece)
{
    struct bytes part = bytes_of(
        input->data, input->len < BODY_PIECE_BYTES_MAX ? input->len : BODY_PIECE_BYTES_MAX);
    size_t part_len = part.len;
    enum http_chunked_result result = http_chunked_read(&body->chunked, &part, &ret_piece->content);

    *input = bytes_skip(*input, part_len - part.len);
    ret_piece->chunk_size = body->chunked.chunk_size;
    ret_piece->in_chunk = http_chunked_in_chunk(&body->chunked);
    if (ret_piece->content.len > 0) {
        http_chunked_renew(&body->chunked, BODY_FRAMING_BYTES_MAX);
    }
    switch (result) {
    case HTTP_CHUNKED_OK:
        return BODY_OK;
    case HTTP_CHUNKED_MORE:
        return BODY_MORE;
    case HTTP_CHUNKED_MALFORMED:
    case HTTP_CHUNKED_TOO_LARGE:
        break;
    }
    return BODY_MALFORMED;
}

enum body_result body_read(struct body *body, struct bytes *input, struct body_piece *ret_piece)
{
    *ret_piece = (struct body_piece){0};
    if (body->is_chunked) {
        return read_chunked(body, input, ret_piece);
    }
    size_t len = input->len < body->left ? input->len : (size_t)body->left;

    ret_piece->content = bytes_of(input->data, len);
    *input = bytes_skip(*input, len);
    body->left -= len;
    return body->left == 0 ? BODY_OK : BODY_MORE;
}
