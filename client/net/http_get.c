#include "client/net/http_get.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/awake_clock.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/clock.h"
#include "client/net/http_body.h"
#include "client/net/opener.h"
#include "client/net/transport.h"

struct getter {
    const struct http_get *get;
    struct fault *fault;
    struct awake_clock clock;
    uint64_t deadline_ms; /* by the clock */
    struct opener opener;
    struct transport transport;
    struct http_body body;
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

static enum progress answer_receive(struct getter *getter)
{
    enum progress progress = PROGRESS_WAIT;
    char data[16384];

    http_body_init(&getter->body, getter->get->body_bytes_max);
    while (progress == PROGRESS_WAIT) {
        ssize_t len = transport_read(&getter->transport, data, sizeof data, getter->fault);

        if (len >= 0) {
            progress = http_body_feed(&getter->body, data, (size_t)len, getter->fault);
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
        *ret_answer = (struct http_get_answer){
            .status = getter->body.status, .body = getter->body.data, .body_len = getter->body.len};
    } else {
        http_body_release(&getter->body);
    }
    free(getter);
    return progress;
}

void http_get_answer_release(struct http_get_answer *answer)
{
    free(answer->body);
    *answer = (struct http_get_answer){0};
}
