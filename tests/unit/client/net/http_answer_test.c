/* Answers of servers: whole, in pieces, too large, malformed, and what comes behind them. Method:
 * each text is fed at once and then byte by byte, with the same result. */
#include "client/net/http_answer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum http_answer_result feed(struct http_answer *answer, struct bytes input, size_t step,
                                    size_t *ret_used)
{
    enum http_answer_result result = HTTP_ANSWER_MORE;

    http_answer_init(answer);
    *ret_used = 0;
    while (result == HTTP_ANSWER_MORE && *ret_used < input.len) {
        struct bytes part = bytes_skip(input, *ret_used);
        size_t used;

        part.len = part.len < step ? part.len : step;
        result = http_answer_feed(answer, part, &used);
        *ret_used += used;
    }
    return result;
}

Test(http_answer, reads_status_fields_and_body)
{
    static const struct {
        const char *text;
        int status;
        const char *body;
        uint64_t retry_after_ms;
        size_t behind;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "{}", 0, 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
         200, "abcde", 0, 0},
        {"HTTP/1.1 204 No Content\r\n\r\n", 204, "", 0, 0},
        {"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 503, "", 7000, 0},
        {"HTTP/1.1 503 Busy\r\nretry-after: Wed, 21 Oct 2015 07:28:00 GMT\r\n"
         "Content-Length: 0\r\n\r\n",
         503, "", 0, 0},
        {"HTTP/1.1 503 Busy\r\nRetry-After: 99999999999\r\nContent-Length: 0\r\n\r\n", 503, "",
         86400000, 0},
        {"HTTP/1.1 100 Continue\r\nRetry-After: 5\r\n\r\nHTTP/1.1 401 No\r\n"
         "Content-Length: 1\r\n\r\nx",
         401, "x", 0, 0},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
         "\x81\x02hi",
         101, "", 0, 4},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct bytes input = bytes_of_text(cases[i].text);

        for (size_t step = 1; step <= input.len; step = step == 1 ? input.len : step + 1) {
            struct http_answer answer;
            size_t used;

            cr_assert_eq(feed(&answer, input, step, &used), HTTP_ANSWER_OK, "case %zu", i);
            cr_assert_eq(answer.status, cases[i].status, "case %zu", i);
            cr_assert_str_eq(answer.body, cases[i].body);
            cr_assert_eq(http_answer_retry_after_ms(&answer), cases[i].retry_after_ms);
            cr_assert_eq(input.len - used, cases[i].behind, "case %zu step %zu", i, step);
        }
    }
}

Test(http_answer, keeps_upgrade_fields_and_joins_repeated_ones)
{
    struct http_answer answer;
    size_t used;
    struct bytes input = bytes_of_text("HTTP/1.1 101 S\r\nuPgRaDe: websocket\r\nConnection: a\r\n"
                                       "connection: Upgrade\r\nSec-WebSocket-Accept: abc=\r\n"
                                       "Sec-WebSocket-Protocol: p\r\n\r\n");

    cr_assert_eq(feed(&answer, input, 1, &used), HTTP_ANSWER_OK);
    cr_assert_str_eq(answer.upgrade, "websocket");
    cr_assert_str_eq(answer.connection, "a,Upgrade");
    cr_assert_str_eq(answer.accept, "abc=");
    cr_assert_str_eq(answer.protocol, "p");
    cr_assert_str_eq(answer.extensions, "");
}

Test(http_answer, refuses_what_is_not_http)
{
    static const char *const texts[] = {
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nNo colon here\r\n\r\n",
        "POST / HTTP/1.1\r\n\r\n",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct http_answer answer;
        size_t used;
        struct bytes input = bytes_of_text(texts[i]);

        cr_assert_eq(feed(&answer, input, input.len, &used), HTTP_ANSWER_MALFORMED, "%s", texts[i]);
        cr_assert_eq(feed(&answer, input, 1, &used), HTTP_ANSWER_MALFORMED, "%s", texts[i]);
    }
}

Test(http_answer, cuts_long_fields_and_bodies_within_bounds)
{
    struct http_answer *answer = malloc(sizeof *answer);
    size_t size = HTTP_ANSWER_BODY_MAX + 2000, used;
    char *text = malloc(size + 1000);
    int head = snprintf(text, 1000,
                        "HTTP/1.1 200 OK\r\n%0300d: x\r\nRetry-After: %0400d\r\n"
                        "Content-Length: %zu\r\n\r\n",
                        0, 0, size);

    memset(text + head, 'b', size);
    cr_assert_eq(feed(answer, bytes_of(text, (size_t)head + size), 1000, &used), HTTP_ANSWER_OK);
    cr_assert_eq(answer->body_len, HTTP_ANSWER_BODY_MAX);
    cr_assert(answer->body_cut);
    cr_assert_eq(strlen(answer->body), HTTP_ANSWER_BODY_MAX);
    cr_assert_eq(strlen(answer->retry_after), HTTP_ANSWER_FIELD_SIZE - 1);
    free(text);
    free(answer);
}

Test(http_answer, gives_up_on_an_endless_answer)
{
    struct http_answer answer;
    enum http_answer_result result = HTTP_ANSWER_MORE;
    const struct bytes head = bytes_of_text("HTTP/1.1 200 OK\r\n");
    const struct bytes field = bytes_of_text("X-Endless: yes\r\n");
    size_t used, total = 0;

    http_answer_init(&answer);
    cr_assert_eq(http_answer_feed(&answer, head, &used), HTTP_ANSWER_MORE);
    while (result == HTTP_ANSWER_MORE) {
        result = http_answer_feed(&answer, field, &used);
        total += field.len;
        cr_assert_leq(total, HTTP_ANSWER_BYTES_MAX + 100u);
    }
    cr_assert_eq(result, HTTP_ANSWER_TOO_LARGE);
}

Test(http_answer, an_end_completes_an_answer_without_length_only)
{
    static const struct {
        const char *text;
        enum http_answer_result result;
    } cases[] = {
        {"HTTP/1.1 500 Oops\r\n\r\nsome text", HTTP_ANSWER_OK},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", HTTP_ANSWER_MALFORMED},
        {"HTTP/1.1 200 OK\r\nContent-Le", HTTP_ANSWER_MALFORMED},
        {"", HTTP_ANSWER_MALFORMED},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct http_answer answer;
        size_t used;
        struct bytes input = bytes_of_text(cases[i].text);

        cr_assert_eq(feed(&answer, input, 3, &used), HTTP_ANSWER_MORE, "case %zu", i);
        cr_assert_eq(http_answer_finish(&answer), cases[i].result, "case %zu", i);
    }
}
