/* Goal: exactly the texts of the Unicode Standard 15, table 3-7, are accepted, in any pieces, and a
 * fault is told with its first byte.
 * Method: a second reading of the table (as it is printed, row by row) judges every sequence of up
 * to four bytes that can matter, each at every place of a longer text; the vectors and the bytes
 * must agree with it. */
#include "wire/utf8_stream.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/attributes.h"

enum { TEXT = 200 };

struct row {
    size_t len;
    uint8_t bounds[4][2];
};

static const struct row table_3_7[] = {
    {1, {{0x00, 0x7f}}},
    {2, {{0xc2, 0xdf}, {0x80, 0xbf}}},
    {3, {{0xe0, 0xe0}, {0xa0, 0xbf}, {0x80, 0xbf}}},
    {3, {{0xe1, 0xec}, {0x80, 0xbf}, {0x80, 0xbf}}},
    {3, {{0xed, 0xed}, {0x80, 0x9f}, {0x80, 0xbf}}},
    {3, {{0xee, 0xef}, {0x80, 0xbf}, {0x80, 0xbf}}},
    {4, {{0xf0, 0xf0}, {0x90, 0xbf}, {0x80, 0xbf}, {0x80, 0xbf}}},
    {4, {{0xf1, 0xf3}, {0x80, 0xbf}, {0x80, 0xbf}, {0x80, 0xbf}}},
    {4, {{0xf4, 0xf4}, {0x80, 0x8f}, {0x80, 0xbf}, {0x80, 0xbf}}},
};

/* How many bytes of a row the text begins with; they may end with the text. */
static size_t row_match(const struct row *row, struct bytes text)
{
    size_t len = 0;

    while (len < row->len && len < text.len && text.data[len] >= row->bounds[len][0] &&
           text.data[len] <= row->bounds[len][1]) {
        len++;
    }
    return len;
}

/* The first byte that is a fault; text.len when there is none. *ret_whole: it ends between two
 * characters. */
static size_t table_judge(struct bytes text, bool *ret_whole)
{
    size_t at = 0;

    *ret_whole = true;
    while (at < text.len) {
        size_t best = 0;
        bool is_character = false;

        for (size_t i = 0; i < ARRAY_LENGTH(table_3_7); i++) {
            size_t len = row_match(&table_3_7[i], bytes_skip(text, at));

            best = len > best ? len : best;
            is_character = is_character || len == table_3_7[i].len;
        }
        at += best;
        if (!is_character) {
            *ret_whole = false;
            return at;
        }
    }
    return at;
}

typedef bool take_function(struct utf8_stream *stream, struct bytes more);

static take_function *const takes[] = {utf8_stream_take, utf8_stream_take_bytes};

/* Piece by piece; each verdict must be the table's verdict on all bytes so far. */
static void check_pieces(take_function *take, struct bytes text, size_t piece)
{
    struct utf8_stream stream;
    bool is_whole;
    size_t fault = table_judge(text, &is_whole);

    utf8_stream_init(&stream);
    for (size_t at = 0; at < text.len;) {
        size_t len = text.len - at < piece ? text.len - at : piece;
        bool is_good = take(&stream, bytes_of(text.data + at, len));

        at += len;
        cr_assert_eq(is_good, fault >= at, "fault at %zu, pieces of %zu, after %zu", fault, piece,
                     at);
    }
    cr_assert_eq(utf8_stream_is_whole(&stream), is_whole && fault == text.len,
                 "fault at %zu of %zu, pieces of %zu", fault, text.len, piece);
}

static void check(struct bytes text, size_t piece)
{
    for (size_t i = 0; i < ARRAY_LENGTH(takes); i++) {
        check_pieces(takes[i], text, piece);
    }
}

/* The borders of the table's ranges, and a byte on both sides of each. */
static const uint8_t edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
                                0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
                                0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff};

Test(utf8_stream, judges_every_sequence_of_the_tables_borders)
{
    enum { N = sizeof edges };

    for (size_t i = 0; i < (size_t)N * N * N * N; i++) {
        uint8_t text[4] = {edges[i % N], edges[i / N % N], edges[i / N / N % N],
                           edges[i / N / N / N]};

        check(bytes_of(text, sizeof text), 1);
        check(bytes_of(text, sizeof text), sizeof text);
    }
}

Test(utf8_stream, judges_every_pair_of_bytes)
{
    for (unsigned pair = 0; pair < 65536; pair++) {
        uint8_t text[2] = {(uint8_t)(pair >> 8), (uint8_t)pair};

        check(bytes_of(text, 2), 2);
        check(bytes_of(text, 1), 1);
    }
}

/* Three bytes, where the vectors begin, go on and end. */
Test(utf8_stream, judges_every_place_of_a_long_text_alike)
{
    static const char *const backgrounds[] = {"a", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    enum { N = sizeof edges };
    uint8_t text[TEXT];

    for (size_t i = 0; i < ARRAY_LENGTH(backgrounds); i++) {
        size_t unit = strlen(backgrounds[i]);

        for (size_t place = 0; place + 2 <= TEXT; place++) {
            for (size_t pair = 0; pair < (size_t)N * N; pair++) {
                for (size_t j = 0; j < TEXT; j++) {
                    text[j] = (uint8_t)backgrounds[i][j % unit];
                }
                text[place] = edges[pair % N];
                text[place + 1] = edges[pair / N];
                check(bytes_of(text, TEXT), TEXT);
            }
        }
    }
}

/* Valid: every length of character, at every distance from the borders of blocks and pieces. */
Test(utf8_stream, takes_valid_text_in_pieces_of_any_size)
{
    static const char mixed[] = "a\xc2\x80\xdf\xbf\xe0\xa0\x80\xec\xbf\xbf\xed\x9f\xbf\xee\x80\x80"
                                "\xf0\x90\x80\x80zz\xf3\xbf\xbf\xbf\xf4\x8f\xbf\xbf";
    uint8_t text[TEXT * 3];

    for (size_t shift = 0; shift < 80; shift++) {
        memset(text, 'x', sizeof text);
        for (size_t at = shift; at + sizeof mixed - 1 <= sizeof text; at += sizeof mixed - 1) {
            memcpy(text + at, mixed, sizeof mixed - 1);
        }
        for (size_t piece = 1; piece <= sizeof text; piece += piece < 140 ? 1 : 97) {
            check(bytes_of(text, sizeof text), piece);
        }
    }
}

Test(utf8_stream, a_text_that_ends_inside_a_character_is_not_whole)
{
    static const char *const cut[] = {"\xc3",         "\xe2\x82", "\xe2",
                                      "\xf0\x9f\x98", "\xf0\x9f", "\xf0"};
    uint8_t text[TEXT];

    for (size_t i = 0; i < ARRAY_LENGTH(cut); i++) {
        size_t len = strlen(cut[i]);

        for (size_t whole = 0; whole + len <= TEXT; whole++) {
            struct utf8_stream stream;

            memset(text, 'x', sizeof text);
            memcpy(text + whole, cut[i], len);
            utf8_stream_init(&stream);
            cr_assert(utf8_stream_take(&stream, bytes_of(text, whole + len)));
            cr_assert(!utf8_stream_is_whole(&stream));
        }
    }
}

Test(utf8_stream, is_good_and_whole_when_empty_and_stays_bad)
{
    struct utf8_stream stream;

    utf8_stream_init(&stream);
    cr_assert(utf8_stream_take(&stream, bytes_of(NULL, 0)));
    cr_assert(utf8_stream_is_whole(&stream));
    cr_assert(!utf8_stream_take(&stream, bytes_of("\xff", 1)));
    cr_assert(!utf8_stream_take(&stream, bytes_of("fine", 4)));
    cr_assert(!utf8_stream_take(&stream, bytes_of(NULL, 0)));
    cr_assert(!utf8_stream_is_whole(&stream));
}
