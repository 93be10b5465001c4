/* Goal: ws_upgrade_check judges opening handshakes as RFC 6455 §4.2.1 demands.
 * Method: the example of the RFC, and that example with one thing changed at a time. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "wire/ws_upgrade.h"

#define KEY     "dGhlIHNhbXBsZSBub25jZQ=="
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECT "Connection: Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define NONCE   "Sec-WebSocket-Key: " KEY "\r\n"

static const struct {
    const char *line;
    const char *fields;
    enum ws_upgrade_result result;
} cases[] = {
    {"GET /chat HTTP/1.1", UPGRADE CONNECT VERSION NONCE, WS_UPGRADE_OK},
    {"GET /chat HTTP/1.1", NONCE VERSION CONNECT UPGRADE, WS_UPGRADE_OK},
    {"GET / HTTP/1.1",
     "upgrade: h2c, WebSocket\r\nconnection: keep-alive, UPGRADE\r\n" VERSION NONCE, WS_UPGRADE_OK},
    {"GET / HTTP/1.1",
     "Upgrade: websocket\r\nConnection: keep-alive\r\nConnection: upgrade\r\n" VERSION NONCE,
     WS_UPGRADE_OK},
    {"GET / HTTP/1.1", "", WS_UPGRADE_NOT_ASKED},
    {"POST / HTTP/1.1", "", WS_UPGRADE_NOT_ASKED},
    {"GET / HTTP/1.1", CONNECT VERSION NONCE, WS_UPGRADE_NOT_ASKED},
    {"GET / HTTP/1.1", UPGRADE VERSION NONCE, WS_UPGRADE_NOT_ASKED},
    {"GET / HTTP/1.1", "Upgrade: websockets\r\n" CONNECT VERSION NONCE, WS_UPGRADE_NOT_ASKED},
    {"GET / HTTP/1.1", "Upgrade: h2c\r\n" CONNECT VERSION NONCE, WS_UPGRADE_NOT_ASKED},
    {"GET / HTTP/1.1", UPGRADE "Connection: close\r\n" VERSION NONCE, WS_UPGRADE_NOT_ASKED},
    {"GET / HTTP/1.0", UPGRADE CONNECT VERSION NONCE, WS_UPGRADE_NOT_ASKED},
    {"POST / HTTP/1.1", UPGRADE CONNECT VERSION NONCE, WS_UPGRADE_BAD_METHOD},
    {"HEAD / HTTP/1.1", UPGRADE CONNECT VERSION NONCE, WS_UPGRADE_BAD_METHOD},
    {"GET / HTTP/1.1", UPGRADE CONNECT NONCE, WS_UPGRADE_BAD_VERSION},
    {"GET / HTTP/1.1", UPGRADE CONNECT NONCE "Sec-WebSocket-Version: 8\r\n",
     WS_UPGRADE_BAD_VERSION},
    {"GET / HTTP/1.1", UPGRADE CONNECT NONCE "Sec-WebSocket-Version: 130\r\n",
     WS_UPGRADE_BAD_VERSION},
    {"GET / HTTP/1.1", UPGRADE CONNECT VERSION, WS_UPGRADE_BAD_KEY},
    {"GET / HTTP/1.1", UPGRADE CONNECT VERSION NONCE NONCE, WS_UPGRADE_BAD_KEY},
};

static void parse(struct http_request *request, const char *line, const char *fields)
{
    char text[1024];
    int len = snprintf(text, sizeof text, "%s\r\nHost: server.example.com\r\n%s\r\n", line, fields);
    struct bytes input = bytes_of(text, (size_t)len);

    http_request_init(request);
    cr_assert_eq(http_request_parse(request, &input), HTTP_REQUEST_OK, "%s", text);
}

Test(ws_upgrade, judges_each_part_of_the_handshake)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_request request;

        parse(&request, cases[i].line, cases[i].fields);
        cr_assert_eq(ws_upgrade_check(&request), cases[i].result, "case %zu: %s", i,
                     cases[i].fields);
    }
}

Test(ws_upgrade, takes_only_the_base64_of_sixteen_bytes_as_key)
{
    static const struct {
        const char *key;
        bool is_good;
    } keys[] = {
        {KEY, true},
        {"AAAAAAAAAAAAAAAAAAAAAA==", true},
        {"++++////++++////++++/w==", true},
        {"", false},
        {"=", false},
        {"AAAAAAAAAAAAAAAAAAAAAAA=", false},
        {"AAAAAAAAAAAAAAAAAAAAAAAA", false},
        {"AAAAAAAAAAAAAAAAAAAAA===", false},
        {"AAAAAAAAAAAAAAAAAAAAA==", false},
        {"AAAAAAAAAAAAAAAAAAAAAAA==", false},
        {"AAAAAAAAAAAAAAAAAAAAAA==A", false},
        {"AAAAAAAAAAAAAAAAAAAA-A==", false},
        {"AAAAAAAAAAA AAAAAAAAAA==", false},
        {"AAAAAAAAAAAAAAAAAAAAA\xc3==", false},
    };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct http_request request;
        char fields[512];

        snprintf(fields, sizeof fields, UPGRADE CONNECT VERSION "Sec-WebSocket-Key: %s\r\n",
                 keys[i].key);
        parse(&request, "GET / HTTP/1.1", fields);
        cr_assert_eq(ws_upgrade_check(&request),
                     keys[i].is_good ? WS_UPGRADE_OK : WS_UPGRADE_BAD_KEY, "key %s", keys[i].key);
    }
}

Test(ws_upgrade, finds_a_subprotocol_anywhere_in_the_list)
{
    static const struct {
        const char *fields;
        bool offers;
    } offers[] = {
        {"Sec-WebSocket-Protocol: null\r\n", true},
        {"Sec-WebSocket-Protocol: a, null ,b\r\n", true},
        {"Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: null\r\n", true},
        {"Sec-WebSocket-Protocol: nullable\r\n", false},
        {"Sec-WebSocket-Protocol:\r\n", false},
        {"", false},
    };

    for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
        struct http_request request;

        parse(&request, "GET / HTTP/1.1", offers[i].fields);
        cr_assert_eq(ws_upgrade_offers(&request, "null"), offers[i].offers, "case %zu", i);
    }
}

Test(ws_upgrade, finds_the_subprotocol_that_is_offered_first)
{
    static const struct {
        const char *fields;
        const char *first; /* NULL: none */
    } offers[] = {
        {"Sec-WebSocket-Protocol: mqtt\r\n", "mqtt"},
        {"Sec-WebSocket-Protocol: , ,mqtt\r\n", "mqtt"},
        {"sec-websocket-protocol:  a.b-c , null\r\n", "a.b-c"},
        {"Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n", "a"},
        {"Sec-WebSocket-Protocol:\r\n", NULL},
        {"Sec-WebSocket-Protocol: , ,\r\n", NULL},
        {"Sec-WebSocket-Protocol: a b\r\n", NULL},
        {"Sec-WebSocket-Protocol: a/b, c\r\n", NULL},
        {"Sec-WebSocket-Protocol: \xc3\xa4\r\n", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
        struct http_request request;
        struct bytes first = bytes_of_text("untouched");

        parse(&request, "GET / HTTP/1.1", offers[i].fields);
        cr_assert_eq(ws_upgrade_first_offer(&request, &first), offers[i].first != NULL, "case %zu",
                     i);
        cr_assert(bytes_equal_text(first, offers[i].first == NULL ? "untouched" : offers[i].first),
                  "case %zu", i);
    }
}

/* RFC 6455 §1.3 and §4.2.2 have the same example. */
Test(ws_upgrade, accepts_the_key_of_the_rfc_with_its_answer)
{
    char accept[WS_ACCEPT_SIZE];

    cr_assert_eq(ws_upgrade_accept(bytes_of_text(KEY), accept), 0);
    cr_assert_str_eq(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}
