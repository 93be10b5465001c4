/* Goal: an answer is queued whole or not at all, and one that is too long is still answered.
 * Method: fake kernel, with the phases of a running server (service.h). */
#include "server/http/http_answer.h"

#include <stdlib.h>

#include "tests/unit/server/http/service.h"

static struct conn *conn;

static void open_one(void)
{
    service_open();
    conn = stage_connect(LISTENER_ACCESS);
}

TestSuite(http_answer, .init = open_one, .fini = service_close);

static const struct http_answer_form form = {.minor_version = 1};

Test(http_answer, reply_is_sent_with_its_form)
{
    struct access_reply reply = {0};

    access_reply_error(&reply, 404, "unknown");
    cr_assert(http_answer_send_reply(conn, &reply, &form));
    const char *sent = (const char *)sent_by(conn).data;

    cr_assert(strstr(sent, "HTTP/1.1 404 ") == sent, "%s", sent);
    cr_assert_not_null(strstr(sent, "Connection: close\r\n"), "%s", sent);
    cr_assert_not_null(strstr(sent, "unknown"));
}

Test(http_answer, without_memory_nothing_is_queued)
{
    struct access_reply reply = {0};

    access_reply_error(&reply, 404, "unknown");
    stage_use_up_memory();
    cr_assert_not(http_answer_send_reply(conn, &reply, &form));
    cr_assert(conn_send_idle(conn));
    cr_assert_eq(stage_counted(http_refused_memory), 1);
}

Test(http_answer, one_that_fits_no_message_is_answered_by_503)
{
    struct access_reply reply;
    size_t len = MESSAGE_BYTES_MAX;

    access_reply_init(&reply);
    access_reply_long(&reply, 200, "application/json", calloc(1, len), len);
    cr_assert(http_answer_send_long(conn, &reply, &form));
    cr_assert_null(reply.long_body);
    cr_assert(bytes_start_with(sent_by(conn), "HTTP/1.1 503 "));
}

Test(http_answer, client_of_a_request_that_could_not_be_read_has_an_address_only)
{
    struct http_answer_asker asker;
    struct audit audit = http_answer_audit(conn, NULL, &asker);

    cr_assert(strncmp(audit.client.address, "127.0.0.1", 9) == 0, "%s", audit.client.address);
    cr_assert_str_eq(audit.client.user_agent, "");
    stage.config.privacy = true;
    cr_assert_str_eq(http_answer_audit(conn, NULL, &asker).client.address, "");
}
