/* Answers of HTTP as messages of a connection in PHASE_HTTP, and its client as the log describes
 * it. Owner worker only; never blocks. */
#pragma once

#include "server/access/access.h"
#include "server/conn/conn.h"
#include "server/http/audit.h"
#include "server/websocket/phase_websocket.h"
#include "wire/http_response.h"

/* How an answer must look because of its request. */
struct http_answer_form {
    bool keep_alive;
    bool head_only;
    unsigned minor_version;
};

/* Room for the description of the client in the log. */
struct http_answer_asker {
    char peer[REMOTE_ADDRESS_SIZE], reported[REPORTED_ADDRESS_SIZE], user_agent[USER_AGENT_SIZE];
};

/* False, and counted: no memory for it. */
bool http_answer_send(struct conn *conn, const struct http_response *response);

/* The last answer of a connection. */
void http_answer_send_plain(struct conn *conn, const struct http_request *request, unsigned status,
                            const char *text, const char *fields);

bool http_answer_send_reply(struct conn *conn, const struct access_reply *reply,
                            const struct http_answer_form *form);

/* One that cannot be sent whole (MESSAGE_BYTES_MAX, memory) is answered all the same. */
bool http_answer_send_long(struct conn *conn, struct access_reply *reply,
                           const struct http_answer_form *form);
void http_answer_release_body(struct access_reply *reply);

/* The client of a request, as the log describes it, in memory of ret_asker. request: NULL when it
 * could not be read. */
struct audit http_answer_audit(struct conn *conn, const struct http_request *request,
                               struct http_answer_asker *ret_asker);
