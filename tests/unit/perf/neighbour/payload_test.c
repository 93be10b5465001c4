/* What attackers send, byte by byte. */
#include "perf/neighbour/payload.h"

#include <criterion/criterion.h>
#include <openssl/ssl.h>
#include <string.h>

Test(payload, text_is_repeated)
{
    struct payload payload;

    cr_assert_eq(payload_of_text("ab", 3, &payload), 0);
    cr_assert(payload.len == 6 && memcmp(payload.data, "ababab", 6) == 0);
    payload_release(&payload);
    cr_assert_null(payload.data);
    payload_release(&payload);
}

Test(payload, frames_are_final_and_masked_with_zero)
{
    static const uint8_t tiny[] = {0x82, 0x81, 0, 0, 0, 0, 0, 0x82, 0x81, 0, 0, 0, 0, 0};
    static const uint8_t middle[] = {0x82, 0xfe, 0x01, 0x00, 0, 0, 0, 0};
    static const uint8_t large[] = {0x82, 0xff, 0, 0, 0, 0, 0, 0xa0, 0, 0, 0, 0, 0, 0};
    struct payload payload;

    cr_assert_eq(payload_of_frames(2, 1, 2, &payload), 0);
    cr_assert(payload.len == sizeof tiny && memcmp(payload.data, tiny, sizeof tiny) == 0);
    payload_release(&payload);
    cr_assert_eq(payload_of_frames(2, 256, 1, &payload), 0);
    cr_assert(payload.len == 264 && memcmp(payload.data, middle, sizeof middle) == 0);
    payload_release(&payload);
    cr_assert_eq(payload_of_frames(2, (size_t)10 << 20, 1, &payload), 0);
    cr_assert(payload.len == 14 + (10 << 20) && memcmp(payload.data, large, sizeof large) == 0);
    payload_release(&payload);
}

Test(payload, announcements_are_of_equal_length)
{
    static const uint8_t expected[] = {0x82, 0xff, 0,    0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0,
                                       0x82, 0xfe, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    struct payload payload;

    cr_assert_eq(payload_of_announcements((size_t)256 << 10, (size_t)16 << 10, &payload), 0);
    cr_assert_eq(payload.len, sizeof expected);
    cr_assert_arr_eq(payload.data, expected, sizeof expected);
    payload_release(&payload);
}

Test(payload, denials_are_of_different_bookings)
{
    struct payload payload;

    cr_assert_eq(payload_of_denials("TOKEN", 4711, 2, &payload), 0);
    const char *text = (const char *)payload.data;

    cr_assert(strncmp(text, "POST /bids/deny?bid=neighbour-0&exp=4711 HTTP/1.1\r\n", 51) == 0);
    cr_assert_not_null(strstr(text, "Authorization: TOKEN\r\nContent-Length: 0\r\n\r\nPOST "));
    cr_assert_not_null(strstr(text, "neighbour-1"));
    cr_assert_eq(payload.len, strlen(text));
    payload_release(&payload);
}

Test(payload, hello_is_a_handshake_record)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    struct payload payload;

    cr_assert_eq(payload_of_hello(tls, &payload), 0);
    cr_assert_gt(payload.len, 100);
    cr_assert_eq(payload.data[0], 0x16, "a handshake record");
    cr_assert_eq(payload.data[5], 0x01, "a ClientHello");
    cr_assert_eq(payload.len, 5u + ((unsigned)payload.data[3] << 8 | payload.data[4]));
    payload_release(&payload);
    SSL_CTX_free(tls);
}
