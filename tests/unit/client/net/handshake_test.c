/* The opening handshake: the request, and which answers are an acceptance. */
#include "client/net/handshake.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 6455 §1.3 */
static const struct handshake sample = {.key = "dGhlIHNhbXBsZSBub25jZQ=="};
static const char sample_accept[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

Test(handshake, writes_the_request)
{
    struct url url;
    char text[512];

    cr_assert_eq(url_parse("wss://h:444/session/t?code=c", &url), URL_OK);
    int len = handshake_request_write(&sample, &url, "agent/1", text, sizeof text);

    cr_assert_eq((size_t)len, strlen(text));
    cr_assert_str_eq(text, "GET /session/t?code=c HTTP/1.1\r\nHost: h:444\r\n"
                           "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                           "Sec-WebSocket-Version: 13\r\nUser-Agent: agent/1\r\n\r\n");
    cr_assert_eq(handshake_request_write(&sample, &url, "agent/1", text, (size_t)len), -ENOSPC);
}

Test(handshake, makes_a_fresh_key_each_time)
{
    struct handshake a, b;

    handshake_init(&a, NULL);
    handshake_init(&b, NULL);
    cr_assert_eq(strlen(a.key), HANDSHAKE_KEY_SIZE - 1u);
    cr_assert_str_eq(a.key + 22, "==");
    cr_assert_str_neq(a.key, b.key);
}

Test(handshake, judges_answers)
{
    static const struct {
        int status;
        const char *upgrade, *connection, *accept, *extensions, *protocol;
        enum relay_client_fault kind;
    } cases[] = {
        {101, "websocket", "Upgrade", sample_accept, "", "", RELAY_CLIENT_FAULT_NONE},
        {101, "WebSocket", "keep-alive, upgrade", sample_accept, "", "", RELAY_CLIENT_FAULT_NONE},
        {101, "", "Upgrade", sample_accept, "", "", RELAY_CLIENT_FAULT_HTTP},
        {101, "websocket", "", sample_accept, "", "", RELAY_CLIENT_FAULT_HTTP},
        {101, "websocket", "Upgrade", "", "", "", RELAY_CLIENT_FAULT_HTTP},
        {101, "websocket", "Upgrade", "S3PPLMBITXAQ9KYGZZHZRBK+XOO=", "", "",
         RELAY_CLIENT_FAULT_HTTP},
        {101, "websocket", "Upgrade", sample_accept, "permessage-deflate", "",
         RELAY_CLIENT_FAULT_HTTP},
        {101, "websocket", "Upgrade", sample_accept, "", "chat", RELAY_CLIENT_FAULT_HTTP},
        {200, "websocket", "Upgrade", sample_accept, "", "", RELAY_CLIENT_FAULT_HTTP},
        {401, "", "", "", "", "", RELAY_CLIENT_FAULT_REFUSED},
        {403, "", "", "", "", "", RELAY_CLIENT_FAULT_REFUSED},
        {404, "", "", "", "", "", RELAY_CLIENT_FAULT_HTTP},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct http_answer *answer = calloc(1, sizeof *answer);
        struct fault fault;

        answer->status = cases[i].status;
        snprintf(answer->upgrade, sizeof answer->upgrade, "%s", cases[i].upgrade);
        snprintf(answer->connection, sizeof answer->connection, "%s", cases[i].connection);
        snprintf(answer->accept, sizeof answer->accept, "%s", cases[i].accept);
        snprintf(answer->extensions, sizeof answer->extensions, "%s", cases[i].extensions);
        snprintf(answer->protocol, sizeof answer->protocol, "%s", cases[i].protocol);
        fault_clear(&fault);
        enum progress progress = handshake_answer_check(&sample, answer, &fault);

        cr_assert_eq(progress == PROGRESS_DONE, cases[i].kind == RELAY_CLIENT_FAULT_NONE,
                     "case %zu", i);
        cr_assert_eq(fault.kind, cases[i].kind, "case %zu", i);
        free(answer);
    }
}

Test(handshake, offers_a_subprotocol_and_takes_no_other)
{
    static const struct {
        const char *offered, *answered;
        bool accepted, granted;
    } cases[] = {
        {NULL, "", true, false},
        {NULL, "relay.v1", false, false},
        {"relay.v1", "", true, false},
        {"relay.v1", "relay.v1", true, true},
        {"relay.v1", "null", false, false},
        {"relay.v1", "RELAY.V1", false, false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct handshake handshake = sample;
        struct http_answer *answer = calloc(1, sizeof *answer);
        struct fault fault;

        handshake.subprotocol = cases[i].offered;
        answer->status = 101;
        snprintf(answer->upgrade, sizeof answer->upgrade, "websocket");
        snprintf(answer->connection, sizeof answer->connection, "upgrade");
        snprintf(answer->accept, sizeof answer->accept, "%s", sample_accept);
        snprintf(answer->protocol, sizeof answer->protocol, "%s", cases[i].answered);
        cr_expect_eq(handshake_answer_check(&handshake, answer, &fault) == PROGRESS_DONE,
                     cases[i].accepted, "case %zu", i);
        cr_expect_eq(handshake_is_granted(&handshake, answer), cases[i].granted, "case %zu", i);
        free(answer);
    }
}

Test(handshake, writes_the_offer)
{
    struct handshake handshake = sample;
    struct url url;
    char text[512];

    handshake.subprotocol = "relay.v1";
    cr_assert_eq(url_parse("ws://h/session/t", &url), URL_OK);
    cr_assert_gt(handshake_request_write(&handshake, &url, "agent/1", text, sizeof text), 0);
    cr_expect_not_null(strstr(text, "\r\nSec-WebSocket-Protocol: relay.v1\r\n"), "%s", text);
}
