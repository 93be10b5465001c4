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

    handshake_init(&a);
    handshake_init(&b);
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
