/* The access request as sent, and every kind of answer. */
#include "client/net/access.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct http_answer *answer_of(int status, const char *body)
{
    struct http_answer *answer = calloc(1, sizeof *answer);

    answer->status = status;
    answer->body_len = strlen(body);
    memcpy(answer->body, body, answer->body_len);
    return answer;
}

Test(access, writes_the_request)
{
    struct url url;
    char text[512];

    cr_assert_eq(url_parse("http://localhost:3000/session/a b", &url), URL_OK);
    int len = access_request_write(&url, "eyJ.a.b", "agent/1", text, sizeof text);

    cr_assert_eq((size_t)len, strlen(text));
    cr_assert_str_eq(text, "POST /session/a%20b HTTP/1.1\r\nHost: localhost:3000\r\n"
                           "Authorization: eyJ.a.b\r\nUser-Agent: agent/1\r\n"
                           "Accept: application/json\r\nContent-Length: 0\r\n"
                           "Connection: close\r\n\r\n");
    cr_assert_eq(access_request_write(&url, "eyJ.a.b", "agent/1", text, (size_t)len), -ENOSPC);
}

Test(access, takes_the_uri)
{
    struct http_answer *answer =
        answer_of(200, "{\"uri\":\"wss://relay.example/session/t?code=1-2\",\"more\":1}\n");
    struct fault fault;
    struct url url;

    fault_clear(&fault);
    cr_assert_eq(access_answer_read(answer, &url, &fault), PROGRESS_DONE);
    cr_assert_str_eq(url.host, "relay.example");
    cr_assert_str_eq(url.target, "/session/t?code=1-2");
    cr_assert(url.tls);
    cr_assert_eq(fault.kind, RELAY_CLIENT_FAULT_NONE);
    free(answer);
}

Test(access, tells_refusals_from_other_faults)
{
    static const struct {
        int status;
        const char *body;
        enum relay_client_fault kind;
        const char *text;
    } cases[] = {
        {401, "\"Token Not JWT\"\n", RELAY_CLIENT_FAULT_REFUSED,
         "refused: HTTP 401: Token Not JWT"},
        {401, "{\"code\":401,\"message\":\"unauthenticated\"}", RELAY_CLIENT_FAULT_REFUSED,
         "refused: HTTP 401: unauthenticated"},
        {403, "", RELAY_CLIENT_FAULT_REFUSED, "refused: HTTP 403"},
        {400, "{\"code\":\"400\",\"message\":\"bookingID has been deny-listed\"}\n",
         RELAY_CLIENT_FAULT_HTTP, "HTTP 400: bookingID has been deny-listed"},
        {500, "plain text\nof two lines\n", RELAY_CLIENT_FAULT_HTTP,
         "HTTP 500: plain text of two lines"},
        {502, "<html><h1>Bad Gateway</h1></html>", RELAY_CLIENT_FAULT_HTTP, "HTTP 502"},
        {500, "{\"message\":7}", RELAY_CLIENT_FAULT_HTTP, "HTTP 500"},
        {500, "[]", RELAY_CLIENT_FAULT_HTTP, "HTTP 500"},
        {500, "{\"message\":\"for eyJhb.x.y\"}", RELAY_CLIENT_FAULT_HTTP,
         "HTTP 500: for <redacted>"},
        {301, "", RELAY_CLIENT_FAULT_HTTP,
         "HTTP 301: redirects are not followed; set the final location"},
        {200, "{}", RELAY_CLIENT_FAULT_HTTP,
         "the answer holds no uri: is this a relay's access API?"},
        {200, "{\"uri\":\"", RELAY_CLIENT_FAULT_HTTP,
         "the answer holds no uri: is this a relay's access API?"},
        {200, "\"wss://h/\"", RELAY_CLIENT_FAULT_HTTP,
         "the answer holds no uri: is this a relay's access API?"},
        {200, "{\"uri\":\"https://h/\"}", RELAY_CLIENT_FAULT_HTTP,
         "the answer's uri is not a valid ws:// or wss:// URL"},
        {200, "{\"uri\":\"wss://h/\\r\\nX: 1\"}", RELAY_CLIENT_FAULT_HTTP,
         "the answer's uri is not a valid ws:// or wss:// URL"},
        {200, "{\"uri\":\"wss://h/\\u0000x\"}", RELAY_CLIENT_FAULT_HTTP,
         "the answer holds no uri: is this a relay's access API?"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct http_answer *answer = answer_of(cases[i].status, cases[i].body);
        struct fault fault;
        struct url url = {.port = 7};

        fault_clear(&fault);
        cr_assert_eq(access_answer_read(answer, &url, &fault), PROGRESS_FAILED, "case %zu", i);
        cr_assert_eq(fault.kind, cases[i].kind, "case %zu", i);
        cr_assert_eq(fault.http_status, cases[i].status, "case %zu", i);
        cr_assert_str_eq(fault.text, cases[i].text);
        cr_assert_eq(url.port, 7);
        free(answer);
    }
}

Test(access, cuts_the_words_of_a_talkative_server)
{
    struct http_answer *answer = answer_of(500, "");
    struct fault fault;
    struct url url;

    memset(answer->body, 'w', HTTP_ANSWER_BODY_MAX);
    answer->body_len = HTTP_ANSWER_BODY_MAX;
    fault_clear(&fault);
    cr_assert_eq(access_answer_read(answer, &url, &fault), PROGRESS_FAILED);
    cr_assert_lt(strlen(fault.text), 200u);
    free(answer);
}
