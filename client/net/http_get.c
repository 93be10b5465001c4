#include "client/net/http_get.h"

#include <errno.h>
#include <llhttp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/awake_clock.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/clock.h"
#include "client/net/opener.h"
#include "client/net/transport.h"

enum http_get_limits {
    HEAD_BYTES_MAX = 128 * 1024, /* of everything but the body */
    BODY_BYTES_FIRST = 16 * 1024,
};

struct getter {
    const struct http_get *get;
    struct fault *fault;
    struct awake_clock clock;
    uint64_t deadline_ms; /* by the clock */
    struct opener opener;
    struct transport transport;

    llhttp_t parser;
    llhttp_settings_t settings;
    struct http_get_answer answer;
    size_t body_size; /* allocated */
    size_t bytes;     /* received */
    bool complete;
    bool no_memory, too_large;
};

/* Waits. False: timeout, and the fault names the missing event. */
static bool wait_for(struct getter *getter, struct pollfd *fds, unsigned fds_count,
                     uint64_t wake_ms, const char *what)
{
    uint64_t now_ms = getter->clock.now_ms;
    uint64_t until_ms = wake_ms < getter->deadline_ms ? wake_ms : getter->deadline_ms;

    if (now_ms >= getter->deadline_ms) {
        fault_set(getter->fault, RELAY_CLIENT_FAULT_TIMEOUT, "timeout: no %s from %s within %u ms",
                  what, getter->get->url.host, getter->get->timeout_ms);
        return false;
    }
    uint64_t wait_ms = until_ms > now_ms ? until_ms - now_ms : 0;

    wait_ms = wait_ms < AWAKE_CLOCK_STEP_MS ? wait_ms : AWAKE_CLOCK_STEP_MS;
    poll(fds, fds_count, (int)wait_ms);
    awake_clock_advance(&getter->clock, clock_monotonic_ms(), wait_ms);
    return true;
}

static enum progress transport_await(struct getter *getter)
{
    const struct http_get *get = getter->get;
    struct opener_target target = {
        .url = &get->url, .ca_file = get->ca_file, .insecure = get->insecure};
    struct opener *opener = &getter->opener;
    enum progress progress = opener_start(opener, &target, &getter->transport, getter->fault);

    while (progress == PROGRESS_WAIT) {
        struct pollfd fds[OPENER_FDS_MAX];
        unsigned count = opener_poll_fds(opener, fds);

        if (!wait_for(getter, fds, count, opener_wake_ms(opener), opener_missing(opener))) {
            return PROGRESS_FAILED;
        }
        progress = opener_advance(opener, getter->clock.now_ms, getter->fault);
    }
    return progress;
}

static bool transport_wait(struct getter *getter, const char *what)
{
    struct pollfd fd = transport_pollfd(&getter->transport);

    return wait_for(getter, &fd, 1, UINT64_MAX, what);
}

static enum progress send_all(struct getter *getter, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t sent = transport_write(&getter->transport, text, len, getter->fault);

        if (sent == -EAGAIN) {
            if (!transport_wait(getter, "progress")) {
                return PROGRESS_FAILED;
            }
        } else if (sent < 0) {
            return PROGRESS_FAILED;
        } else {
            text += sent;
            len -= (size_t)sent;
        }
    }
    return PROGRESS_DONE;
}

static enum progress request_send(struct getter *getter)
{
    const struct http_get *get = getter->get;
    char authority[URL_AUTHORITY_SIZE];
    char *text;

    url_authority(&get->url, authority);
    int len =
        asprintf(&text,
                 "GET %s HTTP/1.1\r\nHost: %s\r\n%s%s%sUser-Agent: %s\r\n"
                 "Accept: application/json\r\nConnection: close\r\n\r\n",
                 get->url.target, authority,
                 get->token == NULL ? "" : "Authorization: ", get->token == NULL ? "" : get->token,
                 get->token == NULL ? "" : "\r\n", get->user_agent);

    if (len < 0) {
        return fault_set(getter->fault, RELAY_CLIENT_FAULT_HTTP, "out of memory");
    }
    enum progress progress = send_all(getter, text, (size_t)len);

    bytes_wipe(text, (size_t)len);
    free(text);
    return progress;
}

/* The answer. */

static int on_headers_complete(llhttp_t *parser)
{
    struct getter *getter = parser->data;

    getter->answer.status = parser->status_code;
    return 0;
}

static bool body_reserve(struct getter *getter, size_t len)
{
    size_t size = getter->body_size == 0 ? (size_t)BODY_BYTES_FIRST : getter->body_size;

    while (size < len) {
        size *= 2;
    }
    if (size == getter->body_size) {
        return true;
    }
    char *body = realloc(getter->answer.body, size);

    if (body == NULL) {
        return false;
    }
    getter->answer.body = body;
    getter->body_size = size;
    return true;
}

static int on_body(llhttp_t *parser, const char *data, size_t len)
{
    struct getter *getter = parser->data;
    struct http_get_answer *answer = &getter->answer;

    getter->too_large = len > getter->get->body_bytes_max - answer->body_len;
    if (getter->too_large) {
        return HPE_USER;
    }
    getter->no_memory = !body_reserve(getter, answer->body_len + len);
    if (getter->no_memory) {
        return HPE_USER;
    }
    memcpy(answer->body + answer->body_len, data, len);
    answer->body_len += len;
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct getter *getter = parser->data;

    getter->complete = getter->answer.status >= 200; /* informational ones precede it */
    return getter->complete ? HPE_PAUSED : 0;
}

static void parser_init(struct getter *getter)
{
    llhttp_settings_init(&getter->settings);
    getter->settings.on_headers_complete = on_headers_complete;
    getter->settings.on_body = on_body;
    getter->settings.on_message_complete = on_message_complete;
    llhttp_init(&getter->parser, HTTP_RESPONSE, &getter->settings);
    getter->parser.data = getter;
}

static enum progress answer_fail(const struct getter *getter)
{
    const char *why = getter->bytes == 0  ? "the connection ended without an answer"
                      : getter->no_memory ? "out of memory"
                      : getter->too_large ? "the answer is too large"
                                          : "the answer is not valid HTTP";

    return fault_set(getter->fault, RELAY_CLIENT_FAULT_HTTP, "%s", why);
}

/* PROGRESS_WAIT: more is expected. */
static enum progress answer_feed(struct getter *getter, const char *data, size_t len)
{
    llhttp_errno_t error =
        len == 0 ? llhttp_finish(&getter->parser) : llhttp_execute(&getter->parser, data, len);

    getter->bytes += len;
    getter->too_large =
        getter->too_large || getter->bytes > getter->answer.body_len + HEAD_BYTES_MAX;
    if (getter->complete) {
        return PROGRESS_DONE;
    }
    return error != HPE_OK || len == 0 || getter->too_large ? answer_fail(getter) : PROGRESS_WAIT;
}

static enum progress answer_receive(struct getter *getter)
{
    enum progress progress = PROGRESS_WAIT;
    char data[16384];

    parser_init(getter);
    while (progress == PROGRESS_WAIT) {
        ssize_t len = transport_read(&getter->transport, data, sizeof data, getter->fault);

        if (len >= 0) {
            progress = answer_feed(getter, data, (size_t)len);
        } else if (len != -EAGAIN || !transport_wait(getter, "answer")) {
            progress = PROGRESS_FAILED;
        }
    }
    return progress;
}

static enum progress get_run(struct getter *getter)
{
    if (transport_await(getter) != PROGRESS_DONE) {
        return PROGRESS_FAILED;
    }
    return request_send(getter) == PROGRESS_DONE ? answer_receive(getter) : PROGRESS_FAILED;
}

enum progress http_get(const struct http_get *get, struct http_get_answer *ret_answer,
                       struct fault *fault)
{
    struct getter *getter = calloc(1, sizeof *getter);

    fault_clear(fault);
    if (getter == NULL) {
        return fault_set(fault, RELAY_CLIENT_FAULT_HTTP, "out of memory");
    }
    getter->get = get;
    getter->fault = fault;
    awake_clock_init(&getter->clock, clock_monotonic_ms());
    getter->deadline_ms = getter->clock.now_ms + get->timeout_ms;
    transport_init(&getter->transport);
    enum progress progress = get_run(getter);

    opener_deinit(&getter->opener);
    if (progress == PROGRESS_DONE) {
        *ret_answer = getter->answer;
    } else {
        http_get_answer_release(&getter->answer);
    }
    free(getter);
    return progress;
}

void http_get_answer_release(struct http_get_answer *answer)
{
    free(answer->body);
    *answer = (struct http_get_answer){0};
}
