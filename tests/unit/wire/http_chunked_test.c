/* Goal: http_chunked_parse ends where RFC 9112 §7.1 says, refuses every other reading, and holds
 * its limits to the byte. Method: tables, each fed whole, byte by byte and in pieces. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "wire/http_chunked.h"

enum { CONTENT_MAX = 100, WIRE_MAX = 200 };

/* A heap block for each piece: the sanitizer sees reads past it. */
static enum http_chunked_result feed(struct http_chunked *chunked, struct bytes *input, size_t step)
{
    enum http_chunked_result result = HTTP_CHUNKED_MORE;

    http_chunked_init(chunked, CONTENT_MAX, WIRE_MAX);
    while (result == HTTP_CHUNKED_MORE && input->len > 0) {
        size_t len = input->len < step ? input->len : step;
        uint8_t *piece = malloc(len);

        memcpy(piece, input->data, len);
        struct bytes left = bytes_of(piece, len);

        result = http_chunked_parse(chunked, &left);
        *input = bytes_skip(*input, len - left.len);
        cr_assert(result != HTTP_CHUNKED_MORE || left.len == 0, "MORE means all was used");
        free(piece);
    }
    return result;
}

static const size_t steps[] = {1, 2, 3, 7, 1000};

static void expect(const char *text, enum http_chunked_result result, size_t content_len)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct http_chunked chunked;
        struct bytes input = bytes_of_text(text);

        cr_assert_eq(feed(&chunked, &input, steps[i]), result, "step %zu: %s", steps[i], text);
        if (result == HTTP_CHUNKED_OK) {
            cr_assert(bytes_equal_text(input, "next"), "step %zu: %s", steps[i], text);
            cr_assert_eq(chunked.content_len, content_len, "%s", text);
        }
    }
}

Test(http_chunked, reads_well_formed_bodies_and_leaves_what_follows)
{
    expect("0\r\n\r\nnext", HTTP_CHUNKED_OK, 0);
    expect("0000\r\n\r\nnext", HTTP_CHUNKED_OK, 0);
    expect("2\r\n{}\r\n0\r\n\r\nnext", HTTP_CHUNKED_OK, 2);
    expect("a\r\n0123456789\r\nB\r\n\r\n\r\n0\r\n\r\n..\r\n0\r\n\r\nnext", HTTP_CHUNKED_OK, 21);
    expect("1;a=b;c=\"\\\"\xff\t\"\r\nx\r\n0 \t;d\r\n\r\nnext", HTTP_CHUNKED_OK, 1);
    expect("0\r\nA: b\r\nC:\r\n\r\nnext", HTTP_CHUNKED_OK, 0);
}

Test(http_chunked, asks_for_more_until_the_last_byte)
{
    static const char text[] = "1;x\r\n.\r\n0\r\nA: b\r\n\r\n";

    for (size_t len = 0; len < sizeof text - 1; len++) {
        struct http_chunked chunked;
        struct bytes input = bytes_of(text, len);

        cr_assert_eq(feed(&chunked, &input, 100), HTTP_CHUNKED_MORE, "%zu bytes", len);
        input = bytes_of(text + len, sizeof text - 1 - len);
        cr_assert_eq(http_chunked_parse(&chunked, &input), HTTP_CHUNKED_OK, "cut at %zu", len);
    }
}

Test(http_chunked, refuses_every_other_reading)
{
    static const char *const malformed[] = {"\r\n",
                                            "x",
                                            "-1",
                                            "+1",
                                            " 1",
                                            "0x1",
                                            ";x",
                                            "1 \r\n",
                                            "1 x",
                                            "1\n",
                                            "1\r\r",
                                            "1;x\n",
                                            "1;x\x01",
                                            "1;x\x7f",
                                            "1;x\ry",
                                            "1\r\n..",
                                            "1\r\n.\n",
                                            "1\r\n.\rx",
                                            "0\n",
                                            "0\r\n\n",
                                            "0\r\n\rx",
                                            "0\r\n a: b",
                                            "0\r\n: b",
                                            "0\r\na b: c",
                                            "0\r\na\r\n",
                                            "0\r\na: b\n",
                                            "0\r\na: b\rc",
                                            "0\r\na: b\r\n\n",
                                            "0\r\na: b\r\n c\r\n"};

    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        expect(malformed[i], HTTP_CHUNKED_MALFORMED, 0);
    }
}

Test(http_chunked, refuses_a_size_as_soon_as_it_is_too_large)
{
    expect("64", HTTP_CHUNKED_MORE, 0);
    expect("65", HTTP_CHUNKED_TOO_LARGE, 0);
    expect("fff", HTTP_CHUNKED_TOO_LARGE, 0);
    expect("ffffffffffffffffffffffff", HTTP_CHUNKED_TOO_LARGE, 0);
    expect("1\r\n.\r\n63", HTTP_CHUNKED_MORE, 0);
    expect("1\r\n.\r\n64", HTTP_CHUNKED_TOO_LARGE, 0);
}

Test(http_chunked, bounds_what_frames_the_content)
{
    char text[WIRE_MAX + 16] = "0;";

    memset(text + 2, 'x', WIRE_MAX - 2);
    expect(text, HTTP_CHUNKED_MORE, 0);
    text[WIRE_MAX] = 'x';
    expect(text, HTTP_CHUNKED_TOO_LARGE, 0);
}

Test(http_chunked, lends_out_the_content_piece_by_piece)
{
    static const char text[] = "5;x\r\nhello\r\n3\r\nyou\r\n0\r\n\r\nnext";

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct http_chunked chunked;
        struct bytes left = bytes_of_text(text), piece, content;
        enum http_chunked_result result = HTTP_CHUNKED_MORE;
        char all[16] = "";

        http_chunked_init(&chunked, CONTENT_MAX, WIRE_MAX);
        while (result == HTTP_CHUNKED_MORE) {
            piece = bytes_of(left.data, left.len < steps[i] ? left.len : steps[i]);
            size_t len = piece.len;

            result = http_chunked_read(&chunked, &piece, &content);
            left = bytes_skip(left, len - piece.len);
            if (content.len > 0) {
                strncat(all, (const char *)content.data, content.len);
                cr_assert_eq(http_chunked_in_chunk(&chunked), strlen(all) != 5 && strlen(all) != 8);
                cr_assert_eq(chunked.chunk_size, strlen(all) <= 5 ? 5 : 3);
            }
        }
        cr_assert_eq(result, HTTP_CHUNKED_OK);
        cr_assert_str_eq(all, "helloyou");
        cr_assert(bytes_equal_text(left, "next"));
    }
}

Test(http_chunked, goes_on_for_ever_when_its_limits_are_renewed)
{
    struct http_chunked chunked;
    struct bytes content;

    http_chunked_init(&chunked, CONTENT_MAX, WIRE_MAX);
    for (unsigned i = 0; i < 1000; i++) {
        struct bytes input = bytes_of_text("a\r\n0123456789\r\n");

        while (input.len > 0) {
            cr_assert_eq(http_chunked_read(&chunked, &input, &content), HTTP_CHUNKED_MORE);
            http_chunked_renew(&chunked, WIRE_MAX);
        }
    }
}
