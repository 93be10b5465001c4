/* Goal: http_response_write gives exactly the bytes that its header promises, and never one past
 * the buffer. Method: a table of whole responses; every buffer size below what is needed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/http_response.h"

/* The example of RFC 9110 §5.6.7. */
#define DATE       .date_s = 784111777
#define DATE_FIELD "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

#define BODY(text) .body = {.data = (const uint8_t *)(text), .len = sizeof(text) - 1}

static const struct {
    struct http_response response;
    const char *text;
} cases[] = {
    {{.status = 200,
      .content_type = "application/json",
      BODY("{\"uri\":\"x\"}\n"),
      .extra_fields = "",
      DATE,
      .keep_alive = true,
      .minor_version = 1},
     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" DATE_FIELD "Content-Length: 12\r\n\r\n"
     "{\"uri\":\"x\"}\n"},
    {{.status = 200,
      .content_type = "text/plain",
      BODY("ok"),
      .extra_fields = "",
      DATE,
      .keep_alive = false,
      .minor_version = 1},
     "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" DATE_FIELD "Content-Length: 2\r\n"
     "Connection: close\r\n\r\nok"},
    {{.status = 405,
      .content_type = "application/json",
      BODY("no"),
      .extra_fields = "Allow: POST\r\n",
      DATE,
      .keep_alive = true,
      .head_only = true,
      .minor_version = 1},
     "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/json\r\n" DATE_FIELD
     "Content-Length: 2\r\n"
     "Allow: POST\r\n\r\n"},
    {{.status = 204, .extra_fields = "", DATE, .keep_alive = true, .minor_version = 1},
     "HTTP/1.1 204 No Content\r\n" DATE_FIELD "\r\n"},
    {{.status = 204, .extra_fields = "", DATE, .keep_alive = false, .minor_version = 1},
     "HTTP/1.1 204 No Content\r\n" DATE_FIELD "Connection: close\r\n\r\n"},
    {{.status = 200, .extra_fields = "", DATE, .keep_alive = true, .minor_version = 1},
     "HTTP/1.1 200 OK\r\n" DATE_FIELD "Content-Length: 0\r\n\r\n"},
    {{.status = 101,
      .extra_fields = "Upgrade: websocket\r\nConnection: Upgrade\r\n",
      .keep_alive = false,
      .minor_version = 1},
     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"},
    {{.status = 404,
      .content_type = "text/plain",
      BODY("Not Found\n"),
      .extra_fields = "",
      DATE,
      .keep_alive = false,
      .minor_version = 0},
     "HTTP/1.0 404 Not Found\r\nContent-Type: text/plain\r\n" DATE_FIELD "Content-Length: 10\r\n"
     "Connection: close\r\n\r\nNot Found\n"},
    {{.status = 404,
      .content_type = "text/plain",
      BODY("x"),
      .extra_fields = "",
      DATE,
      .keep_alive = true,
      .minor_version = 0},
     "HTTP/1.0 404 Not Found\r\nContent-Type: text/plain\r\n" DATE_FIELD "Content-Length: 1\r\n"
     "Connection: keep-alive\r\n\r\nx"},
    {{.status = 401,
      .content_type = "application/json",
      BODY("x"),
      .extra_fields = "",
      DATE,
      .keep_alive = true,
      .minor_version = 1},
     "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n" DATE_FIELD
     "WWW-Authenticate: Bearer realm=\"relay\"\r\nContent-Length: 1\r\n\r\nx"},
    {{.status = 100, .extra_fields = "", .minor_version = 1}, "HTTP/1.1 100 Continue\r\n\r\n"},
    {{.status = 299, .extra_fields = "", DATE, .keep_alive = true, .minor_version = 1},
     "HTTP/1.1 299 Unknown\r\n" DATE_FIELD "Content-Length: 0\r\n\r\n"},
};

enum { CASES_COUNT = sizeof cases / sizeof cases[0] };

Test(http_response, writes_exactly_these_bytes)
{
    for (size_t i = 0; i < CASES_COUNT; i++) {
        char text[512];
        int len = http_response_write(&cases[i].response, text, sizeof text);

        cr_assert_eq(len, (int)strlen(cases[i].text), "case %zu", i);
        cr_assert_arr_eq(text, cases[i].text, (size_t)len, "case %zu", i);
    }
}

/* Heap buffers of exactly the size, so that the sanitizer sees the first byte too many. */
Test(http_response, refuses_every_buffer_that_is_too_small)
{
    for (size_t i = 0; i < CASES_COUNT; i++) {
        size_t needed = strlen(cases[i].text);
        bool has_body = needed > 0 && cases[i].text[needed - 1] != '\n';

        for (size_t size = 1; size < needed; size++) {
            char *text = malloc(size);

            cr_assert_eq(http_response_write(&cases[i].response, text, size), -ENOSPC,
                         "case %zu in %zu bytes", i, size);
            free(text);
        }
        if (has_body) {
            char *text = malloc(needed);

            cr_assert_eq(http_response_write(&cases[i].response, text, needed), (int)needed);
            cr_assert_arr_eq(text, cases[i].text, needed);
            free(text);
        }
    }
}

Test(http_response, knows_the_reasons_of_the_statuses_we_send)
{
    static const struct {
        unsigned status;
        const char *text;
    } statuses[] = {
        {101, "Switching Protocols"},
        {200, "OK"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
        {0, "Unknown"},
        {999, "Unknown"},
    };

    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        cr_assert_str_eq(http_response_status_text(statuses[i].status), statuses[i].text);
    }
}

Test(http_response, writes_dates_of_other_years_and_days)
{
    static const struct {
        int64_t date_s;
        const char *text;
    } dates[] = {
        {0, "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"},
        {951827696, "Date: Tue, 29 Feb 2000 12:34:56 GMT\r\n"},
        {1798761599, "Date: Thu, 31 Dec 2026 23:59:59 GMT\r\n"},
    };

    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        struct http_response response = {
            .status = 204, .extra_fields = "", .date_s = dates[i].date_s};
        char text[512] = "";

        cr_assert_gt(http_response_write(&response, text, sizeof text), 0);
        cr_assert_not_null(strstr(text, dates[i].text), "%s", text);
    }
}
