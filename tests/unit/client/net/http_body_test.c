/* Goal: a response of any length up to the bound is kept whole, and one line says what is wrong
 * with another. Method: each text is fed at once and then byte by byte, with the same result. */
#include "client/net/http_body.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct http_body body;
static struct fault fault;

static void stop(void)
{
    http_body_release(&body);
}

TestSuite(http_body, .fini = stop);

/* Then the end of the connection, if more is expected. */
static enum progress feed(const char *text, size_t step, size_t len_max)
{
    size_t len = strlen(text);
    enum progress progress = PROGRESS_WAIT;

    http_body_release(&body);
    http_body_init(&body, len_max);
    for (size_t at = 0; progress == PROGRESS_WAIT && at < len; at += step) {
        progress = http_body_feed(&body, text + at, len - at < step ? len - at : step, &fault);
    }
    return progress == PROGRESS_WAIT ? http_body_feed(&body, NULL, 0, &fault) : progress;
}

Test(http_body, takes_what_length_chunks_or_the_end_delimit)
{
    static const struct {
        const char *text;
        int status;
        const char *data;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n[{}]", 200, "[{}]"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 200,
         "abc"},
        {"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, "until the end"},
        {"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x"},
        {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 503, ""},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        for (size_t step = 1; step < 200; step += 198) {
            cr_assert_eq(feed(cases[i].text, step, 64), PROGRESS_DONE, "%s", cases[i].text);
            cr_expect_eq(body.status, cases[i].status);
            cr_assert_eq(body.len, strlen(cases[i].data), "%s", cases[i].text);
            cr_expect(body.len == 0 || memcmp(body.data, cases[i].data, body.len) == 0);
        }
    }
}

Test(http_body, says_what_is_wrong)
{
    static const struct {
        const char *text, *fault;
    } cases[] = {
        {"SSH-2.0-OpenSSH\r\n", "the answer is not valid HTTP"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "the answer is not valid HTTP"},
        {"HTTP/1.1 200 OK\r\n\r\n123456789", "the answer is too large"},
        {"", "the connection ended without an answer"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        for (size_t step = 1; step < 200; step += 198) {
            cr_assert_eq(feed(cases[i].text, step, 8), PROGRESS_FAILED, "%s", cases[i].text);
            cr_expect_str_eq(fault.text, cases[i].fault);
        }
    }
}

Test(http_body, the_largest_fits_and_grows_as_it_comes)
{
    enum { LEN = 100000 };
    char *text = malloc(LEN + 32);

    memcpy(text, "HTTP/1.1 200 OK\r\n\r\n", 20);
    memset(text + 19, 'x', LEN);
    text[19 + LEN] = '\0';
    cr_assert_eq(feed(text, 4096, LEN), PROGRESS_DONE, "%s", fault.text);
    cr_expect_eq(body.len, LEN);
    cr_assert_eq(feed(text, 4096, LEN - 1), PROGRESS_FAILED);
    free(text);
}

Test(http_body, an_endless_head_is_too_large)
{
    char line[1024];
    enum progress progress;

    memset(line, 'a', sizeof line);
    http_body_init(&body, 8);
    progress = http_body_feed(&body, "HTTP/1.1 200 OK\r\nX: ", 20, &fault);
    for (unsigned i = 0; progress == PROGRESS_WAIT; i++) {
        cr_assert_lt(i, HTTP_BODY_HEAD_BYTES_MAX / sizeof line + 1);
        progress = http_body_feed(&body, line, sizeof line, &fault);
    }
    cr_assert_eq(progress, PROGRESS_FAILED);
    cr_expect_str_eq(fault.text, "the answer is too large");
}
