#include "server/http/http_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/conn/address.h"
#include "server/conn/close.h"
#include "server/conn/send.h"

static struct message *create_answer(struct conn *conn, size_t size)
{
    struct message *message =
        size > MESSAGE_BYTES_MAX ? NULL : message_create_unframed(conn->worker, size);

    if (message == NULL) {
        conn_close_count_memory(conn);
    }
    return message;
}

bool http_answer_send(struct conn *conn, const struct http_response *response)
{
    size_t size = HTTP_RESPONSE_HEAD_MAX + strlen(response->extra_fields) + response->body.len;
    struct message *message = create_answer(conn, size);

    if (message == NULL) {
        return false;
    }
    int len = http_response_write(response, (char *)message->payload, size);

    CHECK(len >= 0); /* the heads of ours are far below the bound */
    message->payload_len = (uint32_t)len;
    message->is_secret = response->body.len <= ACCESS_BODY_SIZE; /* longer ones are lists */
    return conn_send(conn, message);
}

void http_answer_send_plain(struct conn *conn, const struct http_request *request, unsigned status,
                            const char *text, const char *fields)
{
    struct http_response response = {
        .status = status,
        .content_type = "text/plain; charset=utf-8",
        .body = bytes_of_text(text),
        .extra_fields = fields,
        .head_only = http_request_is_head(request),
        .minor_version = request->minor_version,
        .date_s = clock_wall_s(),
    };

    http_answer_send(conn, &response);
}

struct audit http_answer_audit(struct conn *conn, const struct http_request *request,
                               struct http_answer_asker *asker)
{
    const struct conn_shared *shared = conn->table->shared;

    address_of_client(conn->fd, request, &shared->config->trusted, asker->peer, asker->reported);
    asker->user_agent[0] = '\0';
    if (request != NULL) {
        http_request_field_text(request, "User-Agent", asker->user_agent, sizeof asker->user_agent);
    }
    const char *address = asker->reported[0] != '\0' ? asker->reported : asker->peer;

    return (struct audit){.limit = &conn->table->refusals_log_limit,
                          .counters = &conn->worker->counters,
                          .now_ms = conn->worker->now_ms,
                          .client = {.address = shared->config->privacy ? "" : address,
                                     .user_agent = asker->user_agent}};
}

bool http_answer_send_reply(struct conn *conn, const struct access_reply *reply,
                            const struct http_answer_form *form)
{
    const char *body = reply->long_body != NULL ? reply->long_body : reply->body;
    struct http_response response = {
        .status = reply->status,
        .content_type = reply->content_type,
        .body = bytes_of(body, reply->body_len),
        .extra_fields = reply->fields,
        .keep_alive = form->keep_alive,
        .head_only = form->head_only,
        .minor_version = form->minor_version,
        .date_s = clock_wall_s(),
    };

    return http_answer_send(conn, &response);
}

void http_answer_release_body(struct access_reply *reply)
{
    if (!reply->long_body_is_shared) {
        free(reply->long_body);
    }
    reply->long_body = NULL;
}

bool http_answer_send_long(struct conn *conn, struct access_reply *reply,
                           const struct http_answer_form *form)
{
    if (http_answer_send_reply(conn, reply, form)) {
        return true;
    }
    if (reply->long_body == NULL) {
        return false;
    }
    http_answer_release_body(reply);
    access_reply_error(reply, 503, "the answer is too long");
    return http_answer_send_reply(conn, reply, form);
}
