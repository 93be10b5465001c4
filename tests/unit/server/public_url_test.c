/* Goal: a public URL that clients could not use is refused with its first fault; all others pass.
 * Method: a table, and bytes that may not be in a URL (RFC 3986 §2) at each place. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/attributes.h"
#include "server/public_url.h"

Test(public_url, has_a_scheme_a_host_and_no_slash_at_its_end)
{
    static const struct {
        const char *text;
        enum public_url_fault http, websocket;
    } cases[] = {
        {"https://a", PUBLIC_URL_OK, PUBLIC_URL_SCHEME},
        {"http://127.0.0.1:3000", PUBLIC_URL_OK, PUBLIC_URL_SCHEME},
        {"HTTPS://App.example.org/ed0/access", PUBLIC_URL_OK, PUBLIC_URL_SCHEME},
        {"wss://app.example.org/ed0/relay", PUBLIC_URL_SCHEME, PUBLIC_URL_OK},
        {"ws://[::1]:3001", PUBLIC_URL_SCHEME, PUBLIC_URL_OK},
        {"ws://[2001:db8::1]", PUBLIC_URL_SCHEME, PUBLIC_URL_OK},
        {"ws://a:65535", PUBLIC_URL_SCHEME, PUBLIC_URL_OK},
        {"", PUBLIC_URL_SCHEME, PUBLIC_URL_SCHEME},
        {"a", PUBLIC_URL_SCHEME, PUBLIC_URL_SCHEME},
        {"app.example.org/ed0", PUBLIC_URL_SCHEME, PUBLIC_URL_SCHEME},
        {"wss:/a", PUBLIC_URL_SCHEME, PUBLIC_URL_SCHEME},
        {"ftp://a", PUBLIC_URL_SCHEME, PUBLIC_URL_SCHEME},
        {"ws://", PUBLIC_URL_SCHEME, PUBLIC_URL_HOST},
        {"wss://user:word@a/b@c", PUBLIC_URL_SCHEME, PUBLIC_URL_USER},
        {"https://user@a", PUBLIC_URL_USER, PUBLIC_URL_SCHEME},
        {"https://a/b@c", PUBLIC_URL_OK, PUBLIC_URL_SCHEME},
        {"ws:///relay", PUBLIC_URL_SCHEME, PUBLIC_URL_HOST},
        {"ws://:3001", PUBLIC_URL_SCHEME, PUBLIC_URL_HOST},
        {"ws://[::1", PUBLIC_URL_SCHEME, PUBLIC_URL_HOST},
        {"ws://[/]", PUBLIC_URL_SCHEME, PUBLIC_URL_HOST},
        {"ws://a:", PUBLIC_URL_SCHEME, PUBLIC_URL_PORT},
        {"ws://a:0", PUBLIC_URL_SCHEME, PUBLIC_URL_PORT},
        {"ws://a:65536", PUBLIC_URL_SCHEME, PUBLIC_URL_PORT},
        {"ws://a:4294967297", PUBLIC_URL_SCHEME, PUBLIC_URL_PORT},
        {"ws://a:30x1/relay", PUBLIC_URL_SCHEME, PUBLIC_URL_PORT},
        {"ws://[::1]3001", PUBLIC_URL_SCHEME, PUBLIC_URL_PORT},
        {"https://a?b", PUBLIC_URL_QUERY, PUBLIC_URL_SCHEME},
        {"https://a/b#c/", PUBLIC_URL_QUERY, PUBLIC_URL_SCHEME},
        {"https://a/", PUBLIC_URL_SLASH, PUBLIC_URL_SCHEME},
        {"wss://a/ed0/relay//", PUBLIC_URL_SCHEME, PUBLIC_URL_SLASH},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_assert_eq(public_url_check(cases[i].text, PUBLIC_URL_HTTP), cases[i].http, "%s",
                     cases[i].text);
        cr_assert_eq(public_url_check(cases[i].text, PUBLIC_URL_WEBSOCKET), cases[i].websocket,
                     "%s", cases[i].text);
    }
}

Test(public_url, holds_no_byte_that_a_url_may_not_hold)
{
    static const char good[] = "wss://a.example:3001/b";
    static const char bad[] = {' ', '\t', '\n', '\r', '\x7f', '\x01', '\xc3', '\xff'};

    for (size_t at = 0; at < sizeof good; at++) {
        for (size_t i = 0; i < sizeof bad; i++) {
            char text[sizeof good + 1];

            memcpy(text, good, at);
            text[at] = bad[i];
            memcpy(text + at + 1, good + at, sizeof good - at);
            cr_assert_eq(public_url_check(text, PUBLIC_URL_WEBSOCKET), PUBLIC_URL_BLANK, "%zu %zu",
                         at, i);
        }
    }
}

Test(public_url, names_the_cure_of_each_fault)
{
    for (unsigned fault = PUBLIC_URL_OK; fault < PUBLIC_URL_FAULTS; fault++) {
        cr_assert_not_null(public_url_fault_text((enum public_url_fault)fault, PUBLIC_URL_HTTP));
    }
    cr_assert_str_eq(public_url_fault_text(PUBLIC_URL_SCHEME, PUBLIC_URL_WEBSOCKET),
                     "must begin with wss:// or ws://");
}
