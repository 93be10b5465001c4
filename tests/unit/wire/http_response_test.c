/* Goal: http_response_write gives exactly the bytes that its header promises, and never one past
 * the buffer. Method: a table of whole responses; every buffer size below what is needed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/http_response.h"

#define BODY(text) .body = {.data = (const uint8_t *)(text), .len = sizeof(text) - 1}

static const struct {
    struct http_response response;
    const char *text;
} cases[] = {
    {{.status = 200,
      .content_type = "application/json",
      BODY("{\"uri\":\"x\"}\n"),
      .extra_fields = "",
      .keep_alive = true,
      .minor_version = 1},
     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n"
     "{\"uri\":\"x\"}\n"},
    {{.status = 200,
      .content_type = "text/plain",
      BODY("ok"),
      .extra_fields = "",
      .keep_alive = false,
      .minor_version = 1},
     "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n"
     "Connection: close\r\n\r\nok"},
    {{.status = 405,
      .content_type = "application/json",
      BODY("no"),
      .extra_fields = "Allow: POST\r\n",
      .keep_alive = true,
      .head_only = true,
      .minor_version = 1},
     "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
     "Allow: POST\r\n\r\n"},
    {{.status = 204, .extra_fields = "", .keep_alive = true, .minor_version = 1},
     "HTTP/1.1 204 No Content\r\n\r\n"},
    {{.status = 204, .extra_fields = "", .keep_alive = false, .minor_version = 1},
     "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"},
    {{.status = 200, .extra_fields = "", .keep_alive = true, .minor_version = 1},
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
    {{.status = 101,
      .extra_fields = "Upgrade: websocket\r\nConnection: Upgrade\r\n",
      .keep_alive = false,
      .minor_version = 1},
     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"},
    {{.status = 404,
      .content_type = "text/plain",
      BODY("Not Found\n"),
      .extra_fields = "",
      .keep_alive = false,
      .minor_version = 0},
     "HTTP/1.0 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n"
     "Connection: close\r\n\r\nNot Found\n"},
    {{.status = 404,
      .content_type = "text/plain",
      BODY("x"),
      .extra_fields = "",
      .keep_alive = true,
      .minor_version = 0},
     "HTTP/1.0 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n"
     "Connection: keep-alive\r\n\r\nx"},
    {{.status = 299, .extra_fields = "", .keep_alive = true, .minor_version = 1},
     "HTTP/1.1 299 Unknown\r\nContent-Length: 0\r\n\r\n"},
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
        cr_assert_str_eq(http_status_text(statuses[i].status), statuses[i].text);
    }
}
