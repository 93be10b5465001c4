/* Goal: one content has exactly one spelling. Method: the vectors of RFC 4648 §10 without padding,
 * all single bytes and lengths round trip, and each way to be wrong. */
#include <criterion/criterion.h>
#include <errno.h>

#include "token/base64url.h"

static const struct {
    const char *plain;
    const char *text;
} vectors[] = {
    {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
    {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "-_-_"},
};

Test(base64url, encodes_and_decodes_the_rfc_vectors)
{
    for (size_t i = 0; i < ARRAY_LENGTH(vectors); i++) {
        struct bytes plain = bytes_of_text(vectors[i].plain);
        char text[16];
        uint8_t back[16];
        size_t len = 99;

        cr_expect_eq(base64url_encoded_len(plain.len), strlen(vectors[i].text));
        base64url_encode(plain, text);
        cr_expect_str_eq(text, vectors[i].text);
        cr_expect_eq(base64url_decode(bytes_of_text(text), back, sizeof back, &len), 0);
        cr_expect(bytes_equal(bytes_of(back, len), plain), "%s", vectors[i].text);
    }
}

Test(base64url, round_trips_every_length_and_byte)
{
    uint8_t plain[256];

    for (size_t i = 0; i < sizeof plain; i++) {
        plain[i] = (uint8_t)(i * 7 + 3);
    }
    for (size_t len = 0; len <= sizeof plain; len++) {
        char text[345];
        uint8_t back[sizeof plain];
        size_t back_len;

        base64url_encode(bytes_of(plain, len), text);
        cr_assert_eq(strlen(text), base64url_encoded_len(len));
        cr_assert_eq(base64url_decode(bytes_of_text(text), back, len, &back_len), 0);
        cr_assert(bytes_equal(bytes_of(back, back_len), bytes_of(plain, len)), "%zu", len);
    }
}

Test(base64url, refuses_every_other_spelling)
{
    static const char *const wrong[] = {
        "A",  "AAAAA", "Zg==",  "Zg=",  "Zm9v\n", " Zm9v", "Zm9+", "Zm9/", "Zm.v", "Zh",
        "Zn", "Zm9",   "Z\x80", "@m9v", "[m9v",   "`m9v",  "{m9v", "/m9v", ":m9v", ",m9v",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        uint8_t out[16];
        size_t len = 99;

        cr_expect_eq(base64url_decode(bytes_of_text(wrong[i]), out, sizeof out, &len), -EINVAL,
                     "%s", wrong[i]);
        cr_expect_eq(len, 99);
    }
}

Test(base64url, has_exactly_64_digits)
{
    unsigned digits = 0;

    for (unsigned c = 0; c < 256; c++) {
        uint8_t text[4] = {(uint8_t)c, 'A', 'A', 'A'};
        uint8_t out[3];
        size_t len;

        digits += base64url_decode(bytes_of(text, 4), out, sizeof out, &len) == 0;
    }
    cr_expect_eq(digits, 64);
}

Test(base64url, refuses_what_does_not_fit)
{
    uint8_t out[3];
    size_t len;

    cr_expect_eq(base64url_decode(bytes_of_text("Zm9v"), out, 3, &len), 0);
    cr_expect_eq(base64url_decode(bytes_of_text("Zm9v"), out, 2, &len), -ENOSPC);
    cr_expect_eq(base64url_decode(bytes_of_text("Zm9vYg"), out, 3, &len), -ENOSPC);
    cr_expect_eq(base64url_decode(bytes_of_text("Zm8"), out, 2, &len), 0);
    cr_expect_eq(base64url_decode(bytes_of_text("Zm8"), out, 1, &len), -ENOSPC);
}
