#include "wire/http_chunked.h"

#include "base/check.h"
#include "wire/http_token.h"

enum state {
    SIZE_FIRST, /* a digit must come */
    SIZE,       /* more digits, an extension or the line end */
    SIZE_BLANK, /* a blank after the size: only an extension may follow */
    EXTENSION,  /* up to the line end */
    SIZE_LF,    /* after the CR of a size line */
    CONTENT,    /* of a chunk */
    CONTENT_CR, /* the line end after it */
    CONTENT_LF,
    TRAILER_FIRST, /* a field name or the last line end */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
    DONE,
    MALFORMED,
    TOO_LARGE,
};

void http_chunked_init(struct http_chunked *chunked, size_t content_max, size_t wire_max)
{
    *chunked = (struct http_chunked){
        .content_max = content_max, .wire_left = wire_max, .state = SIZE_FIRST};
}

static enum state expect(uint8_t c, uint8_t wanted, enum state next)
{
    return c == wanted ? next : MALFORMED;
}

/* Extensions and trailers are ignored (§7.1.1, §7.1.2), but not control characters in them: another
 * reader could see a line end there. */
static enum state skip_text(uint8_t c, enum state state, enum state after_cr)
{
    if (c == '\r') {
        return after_cr;
    }
    return (c >= ' ' && c != 0x7f) || c == '\t' ? state : MALFORMED;
}

static enum state take_digit(struct http_chunked *chunked, uint8_t c)
{
    int digit = bytes_hex_digit_value(c);

    if (digit < 0) {
        return MALFORMED;
    }
    chunked->chunk_len = chunked->chunk_len * 16 + (size_t)digit;
    return chunked->chunk_len > chunked->content_max - chunked->content_len ? TOO_LARGE : SIZE;
}

static enum state after_digits(struct http_chunked *chunked, uint8_t c)
{
    switch (c) {
    case '\r':
        return SIZE_LF;
    case ';':
        return EXTENSION;
    case ' ':
    case '\t':
        return SIZE_BLANK;
    default:
        return take_digit(chunked, c);
    }
}

static enum state after_blank(uint8_t c)
{
    return c == ' ' || c == '\t' ? SIZE_BLANK : expect(c, ';', EXTENSION);
}

static enum state after_size(struct http_chunked *chunked, uint8_t c)
{
    chunked->content_len += chunked->chunk_len;
    chunked->chunk_size = chunked->chunk_len;
    return expect(c, '\n', chunked->chunk_len > 0 ? CONTENT : TRAILER_FIRST);
}

static enum state trailer_first(uint8_t c)
{
    return http_is_token_char(c) ? TRAILER_NAME : expect(c, '\r', LAST_LF);
}

static enum state trailer_name(uint8_t c)
{
    return http_is_token_char(c) ? TRAILER_NAME : expect(c, ':', TRAILER_VALUE);
}

/* One byte of framing. */
static enum state next_state(struct http_chunked *chunked, uint8_t c)
{
    switch ((enum state)chunked->state) {
    case SIZE_FIRST:
        chunked->chunk_len = 0;
        return take_digit(chunked, c);
    case SIZE:
        return after_digits(chunked, c);
    case SIZE_BLANK:
        return after_blank(c);
    case EXTENSION:
        return skip_text(c, EXTENSION, SIZE_LF);
    case SIZE_LF:
        return after_size(chunked, c);
    case CONTENT_CR:
        return expect(c, '\r', CONTENT_LF);
    case CONTENT_LF:
        return expect(c, '\n', SIZE_FIRST);
    case TRAILER_FIRST:
        return trailer_first(c);
    case TRAILER_NAME:
        return trailer_name(c);
    case TRAILER_VALUE:
        return skip_text(c, TRAILER_VALUE, TRAILER_LF);
    case TRAILER_LF:
        return expect(c, '\n', TRAILER_FIRST);
    case LAST_LF:
        return expect(c, '\n', DONE);
    case CONTENT:
    case DONE:
    case MALFORMED:
    case TOO_LARGE:
        break;
    }
    return MALFORMED;
}

/* Number of input bytes the next step takes: a whole piece of content, otherwise one. */
static size_t step_len(struct http_chunked *chunked, struct bytes input)
{
    if (chunked->state != CONTENT) {
        chunked->state = (int)next_state(chunked, input.data[0]);
        return 1;
    }
    size_t len = input.len < chunked->chunk_len ? input.len : chunked->chunk_len;

    chunked->chunk_len -= len;
    chunked->state = chunked->chunk_len > 0 ? CONTENT : CONTENT_CR;
    return len;
}

static enum http_chunked_result result_of(const struct http_chunked *chunked)
{
    switch ((enum state)chunked->state) {
    case DONE:
        return HTTP_CHUNKED_OK;
    case MALFORMED:
        return HTTP_CHUNKED_MALFORMED;
    case TOO_LARGE:
        return HTTP_CHUNKED_TOO_LARGE;
    default:
        return HTTP_CHUNKED_MORE;
    }
}

enum http_chunked_result http_chunked_read(struct http_chunked *chunked, struct bytes *input,
                                           struct bytes *ret_content)
{
    CHECK(chunked->state < DONE);
    *ret_content = bytes_of(NULL, 0);
    while (input->len > 0 && chunked->state < DONE && ret_content->len == 0) {
        bool is_content = chunked->state == CONTENT;
        size_t len = step_len(chunked, *input);

        if (len > chunked->wire_left) {
            chunked->state = TOO_LARGE;
            break;
        }
        chunked->wire_left -= len;
        if (is_content) {
            *ret_content = bytes_of(input->data, len);
        }
        *input = bytes_skip(*input, len);
    }
    return result_of(chunked);
}

enum http_chunked_result http_chunked_parse(struct http_chunked *chunked, struct bytes *input)
{
    struct bytes ignored;
    enum http_chunked_result result;

    do {
        result = http_chunked_read(chunked, input, &ignored);
    } while (result == HTTP_CHUNKED_MORE && input->len > 0);
    return result;
}

bool http_chunked_in_chunk(const struct http_chunked *chunked)
{
    return chunked->state == CONTENT;
}

void http_chunked_renew(struct http_chunked *chunked, size_t wire_max)
{
    chunked->content_len = http_chunked_in_chunk(chunked) ? chunked->chunk_len : 0;
    chunked->wire_left = wire_max;
}
