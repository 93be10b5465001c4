/* URLs that are dialled and those that are not. */
#include "wire/address/url.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

Test(url, reads_what_people_write)
{
    static const struct {
        const char *text;
        bool tls, websocket, ipv6;
        const char *host;
        uint16_t port;
        const char *target;
        const char *authority;
    } cases[] = {
        {"https://relay.example.org/session/x", true, false, false, "relay.example.org", 443,
         "/session/x", "relay.example.org"},
        {"http://localhost:3000/session/x", false, false, false, "localhost", 3000, "/session/x",
         "localhost:3000"},
        {"wss://h/session/x?code=1-2", true, true, false, "h", 443, "/session/x?code=1-2", "h"},
        {"ws://10.0.0.1:3001/session/x", false, true, false, "10.0.0.1", 3001, "/session/x",
         "10.0.0.1:3001"},
        {"WSS://Host.Example:443/a", true, true, false, "Host.Example", 443, "/a", "Host.Example"},
        {"http://[::1]:8080/a", false, false, true, "::1", 8080, "/a", "[::1]:8080"},
        {"https://[2001:db8::1]/", true, false, true, "2001:db8::1", 443, "/", "[2001:db8::1]"},
        {"https://host", true, false, false, "host", 443, "/", "host"},
        {"https://host?q=1", true, false, false, "host", 443, "/?q=1", "host"},
        {"https://host:/a", true, false, false, "host", 443, "/a", "host"},
        {"https://host:80/a", true, false, false, "host", 80, "/a", "host:80"},
        {"https://host/a#fragment", true, false, false, "host", 443, "/a", "host"},
        {"https://host#fragment", true, false, false, "host", 443, "/", "host"},
        {"ws://h/session/a b?code=c", false, true, false, "h", 80, "/session/a%20b?code=c", "h"},
        {"https://h/gr\xc3\xbc\xc3\x9f"
         "e",
         true, false, false, "h", 443, "/gr%C3%BC%C3%9Fe", "h"},
        {"https://h/a%2Fb/c;d=e&f", true, false, false, "h", 443, "/a%2Fb/c;d=e&f", "h"},
        {"https://under_score.example/", true, false, false, "under_score.example", 443, "/",
         "under_score.example"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct url url;
        char authority[URL_AUTHORITY_SIZE];

        cr_assert_eq(url_parse(cases[i].text, &url), URL_OK, "%s", cases[i].text);
        cr_assert_eq(url.tls, cases[i].tls, "%s", cases[i].text);
        cr_assert_eq(url.websocket, cases[i].websocket, "%s", cases[i].text);
        cr_assert_eq(url.ipv6, cases[i].ipv6, "%s", cases[i].text);
        cr_assert_str_eq(url.host, cases[i].host);
        cr_assert_eq(url.port, cases[i].port, "%s", cases[i].text);
        cr_assert_str_eq(url.target, cases[i].target);
        url_authority(&url, authority);
        cr_assert_str_eq(authority, cases[i].authority);
    }
}

Test(url, refuses_the_rest_and_leaves_the_result_alone)
{
    static const struct {
        const char *text;
        enum url_result result;
    } cases[] = {
        {"", URL_BAD_SCHEME},
        {"host/session/x", URL_BAD_SCHEME},
        {"ftp://host/", URL_BAD_SCHEME},
        {"https:/host/", URL_BAD_SCHEME},
        {"https://user@host/", URL_USERINFO},
        {"https://user:password@host/", URL_USERINFO},
        {"https://@host/", URL_USERINFO},
        {"https://", URL_BAD_HOST},
        {"https:///path", URL_BAD_HOST},
        {"https://:443/", URL_BAD_HOST},
        {"https://ho st/", URL_BAD_HOST},
        {"https://h\xc3\xb6st/", URL_BAD_HOST},
        {"https://host%41/", URL_BAD_HOST},
        {"https://[::1/", URL_BAD_HOST},
        {"https://[::1]x/", URL_BAD_HOST},
        {"https://[]/", URL_BAD_HOST},
        {"https://[fe80::1%eth0]/", URL_BAD_HOST},
        {"https://[127.0.0.1]/", URL_BAD_HOST},
        {"https://::1/", URL_BAD_HOST},
        {"https://host:0/", URL_BAD_PORT},
        {"https://host:65536/", URL_BAD_PORT},
        {"https://host:1e3/", URL_BAD_PORT},
        {"https://host:-1/", URL_BAD_PORT},
        {"https://host:123456/", URL_BAD_PORT},
        {"https://host/a\r\nInjected: 1", URL_BAD_TARGET},
        {"https://host/a\x7f", URL_BAD_TARGET},
        {"https://host/a\tb", URL_BAD_TARGET},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct url url = {.port = 7};

        cr_assert_eq(url_parse(cases[i].text, &url), cases[i].result, "%s", cases[i].text);
        cr_assert_eq(url.port, 7, "%s", cases[i].text);
        cr_assert_gt(strlen(url_result_text(cases[i].result)), 10u);
    }
}

Test(url, accepts_the_longest_and_refuses_one_more)
{
    char text[URL_TARGET_SIZE + 64];
    struct url url;

    /* Room for an escape is always kept, so the longest target is three shorter than the array. */
    for (int len = URL_TARGET_SIZE - 5; len <= URL_TARGET_SIZE; len++) {
        int head = snprintf(text, sizeof text, "https://h");

        memset(text + head, '/', (size_t)len);
        text[head + len] = '\0';
        cr_assert_eq(url_parse(text, &url), len <= URL_TARGET_SIZE - 3 ? URL_OK : URL_TOO_LONG,
                     "%d", len);
    }
    for (int len = URL_HOST_SIZE - 2; len <= URL_HOST_SIZE + 1; len++) {
        int head = snprintf(text, sizeof text, "https://");

        memset(text + head, 'a', (size_t)len);
        text[head + len] = '\0';
        cr_assert_eq(url_parse(text, &url), len < URL_HOST_SIZE ? URL_OK : URL_TOO_LONG, "%d", len);
    }
}

Test(url, knows_this_machine)
{
    static const struct {
        const char *text;
        bool loopback, address;
    } cases[] = {
        {"http://localhost/", true, false},
        {"http://LOCALHOST:1/", true, false},
        {"http://127.0.0.1/", true, true},
        {"http://127.9.9.9/", true, true},
        {"http://[::1]/", true, true},
        {"http://128.0.0.1/", false, true},
        {"http://10.0.0.1/", false, true},
        {"http://[::2]/", false, true},
        {"http://localhost.example/", false, false},
        {"http://127.0.0.1.example/", false, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct url url;

        cr_assert_eq(url_parse(cases[i].text, &url), URL_OK);
        cr_assert_eq(url_is_loopback(&url), cases[i].loopback, "%s", cases[i].text);
        cr_assert_eq(url_is_address(&url), cases[i].address, "%s", cases[i].text);
    }
}
