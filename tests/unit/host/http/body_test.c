/* Goal: bodies of both kinds are read to their end, whatever the cuts, and endless ones are not
 * limited. */
#include "host/http/body.h"

#include <criterion/criterion.h>
#include <string.h>

static void begin(struct body *body, const char *fields)
{
    static struct http_request request;
    char head[256] = "POST / HTTP/1.1\r\nHost: a\r\n";

    strncat(head, fields, 100);
    strncat(head, "\r\n\r\n", 5);
    struct bytes input = bytes_of_text(head);

    http_request_init(&request);
    http_request_leave_body(&request);
    cr_assert_eq(http_request_parse(&request, &input), HTTP_REQUEST_OK);
    body_init(body, &request);
}

Test(body, of_a_length_ends_with_it)
{
    struct body body;
    struct body_piece piece;
    struct bytes input = bytes_of_text("abcnext");

    begin(&body, "Content-Length: 3");
    cr_assert_not(body_is_empty(&body));
    cr_assert_eq(body_read(&body, &input, &piece), BODY_OK);
    cr_assert(bytes_equal_text(piece.content, "abc"));
    cr_assert(bytes_equal_text(input, "next"));
    cr_assert_eq(piece.chunk_size, 0);
    begin(&body, "Content-Length: 0");
    cr_assert(body_is_empty(&body));
}

Test(body, in_chunks_tells_where_they_end)
{
    struct body body;
    struct body_piece piece;
    struct bytes input = bytes_of_text("5\r\nhel");

    begin(&body, "Transfer-Encoding: chunked");
    cr_assert_eq(body_read(&body, &input, &piece), BODY_MORE);
    cr_assert(bytes_equal_text(piece.content, "hel"));
    cr_assert_eq(piece.chunk_size, 5);
    cr_assert(piece.in_chunk);
    input = bytes_of_text("lo\r\n0\r\n\r\n");
    cr_assert_eq(body_read(&body, &input, &piece), BODY_MORE);
    cr_assert_not(piece.in_chunk);
    cr_assert_eq(body_read(&body, &input, &piece), BODY_OK);
    cr_assert_eq(piece.content.len, 0);
}

Test(body, in_chunks_has_no_limit_but_what_stands_between_them)
{
    static uint8_t chunk[40000];
    struct body body;
    struct body_piece piece;

    begin(&body, "Transfer-Encoding: chunked");
    for (unsigned i = 0; i < 100; i++) {
        size_t head_len = 6;

        memcpy(chunk, "9c34\r\n", head_len); /* 39988 bytes */
        memcpy(chunk + head_len + 39988, "\r\n", 2);
        struct bytes input = bytes_of(chunk, head_len + 39988 + 2);

        while (input.len > 0) {
            cr_assert_eq(body_read(&body, &input, &piece), BODY_MORE);
        }
    }
    memset(chunk, 'x', sizeof chunk);
    memcpy(chunk, "1;", 2);
    struct bytes input = bytes_of(chunk, sizeof chunk);
    enum body_result result = BODY_MORE;

    while (result == BODY_MORE && input.len > 0) {
        result = body_read(&body, &input, &piece);
    }
    cr_assert_eq(result, BODY_MALFORMED);
}
