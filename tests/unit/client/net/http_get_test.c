/* Goal: one GET gives the whole answer or one fault that says what went wrong, within its time.
 * Method: a server in a thread of the test, which takes one connection and says what it was told.
 */
#include "client/net/http_get.h"

#include <pthread.h>
#include <stdlib.h>

#include "tests/unit/client/net/loopback.h"
#include "tests/unit/client/net/tls_peer.h"

/* What the server does with its one connection. */
struct script {
    const char *answer;
    const struct tls_peer *peer; /* NULL: plain */
    bool is_silent;              /* says nothing until the client goes */
};

static struct loopback loopback;
static pthread_t thread;
static struct script script;
static char head[2048]; /* of the request, for after the join */
static struct http_get_answer answer;
static struct fault fault;

static void start(void)
{
    loopback_open(&loopback);
}

static void stop(void)
{
    http_get_answer_release(&answer);
    loopback_close(&loopback);
}

TestSuite(http_get, .init = start, .fini = stop);

static void serve_tls(int fd)
{
    SSL *ssl = tls_peer_session(script.peer, fd);

    if (SSL_do_handshake(ssl) == 1) {
        (void)SSL_read(ssl, head, sizeof head - 1);
        (void)SSL_write(ssl, script.answer, (int)strlen(script.answer));
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
}

static void serve_plain(int fd)
{
    if (!loopback_read_head(fd, head, sizeof head)) {
        return;
    }
    if (script.is_silent) {
        char byte;

        (void)recv(fd, &byte, 1, 0);
    } else {
        (void)send(fd, script.answer, strlen(script.answer), MSG_NOSIGNAL);
    }
}

static void *serve(void *context)
{
    int fd = loopback_accept(&loopback);

    if (fd < 0) {
        return NULL;
    }
    if (script.peer != NULL) {
        serve_tls(fd);
    } else {
        serve_plain(fd);
    }
    close(fd);
    return NULL;
}

static enum progress get(struct script new_script, uint32_t timeout_ms)
{
    struct http_get request = {
        .url = loopback_url(&loopback, new_script.peer == NULL ? "http" : "https", "/status?x=y"),
        .token = "eyJ.a.b",
        .ca_file = new_script.peer == NULL ? NULL : new_script.peer->ca_file,
        .user_agent = "test/1",
        .timeout_ms = timeout_ms,
        .body_bytes_max = 64};

    script = new_script;
    cr_assert_eq(pthread_create(&thread, NULL, serve, NULL), 0);
    enum progress progress = http_get(&request, &answer, &fault);

    pthread_join(thread, NULL);
    return progress;
}

static enum progress get_text(const char *text)
{
    return get((struct script){.answer = text}, LOOPBACK_PATIENCE_MS);
}

static void expect_answer(int status, const char *body)
{
    cr_expect_eq(answer.status, status);
    cr_assert_eq(answer.body_len, strlen(body));
    cr_expect(answer.body_len == 0 || memcmp(answer.body, body, answer.body_len) == 0);
}

static void expect_fault(const char *text)
{
    cr_expect_str_eq(fault.text, text);
    cr_expect_null(answer.body);
}

Test(http_get, asks_with_the_token_and_takes_the_body)
{
    char expected[256];

    cr_assert_eq(get_text("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n[{}]"), PROGRESS_DONE, "%s",
                 fault.text);
    expect_answer(200, "[{}]");
    snprintf(expected, sizeof expected,
             "GET /status?x=y HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAuthorization: eyJ.a.b\r\n"
             "User-Agent: test/1\r\nAccept: application/json\r\nConnection: close\r\n\r\n",
             loopback.port);
    cr_expect_str_eq(head, expected);
}

Test(http_get, a_refusal_is_an_answer)
{
    cr_assert_eq(get_text("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"), PROGRESS_DONE);
    expect_answer(401, "");
}

/* RFC 9112 §7.1, §6.3, RFC 9110 §15.2. */
Test(http_get, takes_chunks_and_bodies_that_the_end_ends)
{
    cr_assert_eq(get_text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
                 PROGRESS_DONE);
    expect_answer(200, "abc");
    http_get_answer_release(&answer);
    cr_assert_eq(get_text("HTTP/1.1 200 OK\r\n\r\nuntil the end"), PROGRESS_DONE);
    expect_answer(200, "until the end");
    http_get_answer_release(&answer);
    cr_assert_eq(get_text("HTTP/1.1 103 Early Hints\r\n\r\n"
                          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
                 PROGRESS_DONE);
    expect_answer(200, "x");
}

Test(http_get, the_largest_body_fits_and_one_byte_more_does_not)
{
    char text[256], body[66];

    memset(body, 'x', sizeof body);
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n\r\n%.*s", 64, body);
    cr_assert_eq(get_text(text), PROGRESS_DONE);
    cr_expect_eq(answer.body_len, 64);
    http_get_answer_release(&answer);
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n\r\n%.*s", 65, body);
    cr_expect_eq(get_text(text), PROGRESS_FAILED);
    expect_fault("the answer is too large");
}

Test(http_get, what_is_not_an_answer_is_told)
{
    cr_expect_eq(get_text("SSH-2.0-OpenSSH\r\n"), PROGRESS_FAILED);
    expect_fault("the answer is not valid HTTP");
    cr_expect_eq(get_text("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"), PROGRESS_FAILED);
    expect_fault("the answer is not valid HTTP");
    cr_expect_eq(get_text(""), PROGRESS_FAILED);
    expect_fault("the connection ended without an answer");
}

Test(http_get, a_silent_server_is_left_when_the_time_is_up)
{
    cr_expect_eq(get((struct script){.is_silent = true}, 100), PROGRESS_FAILED);
    cr_expect_eq(fault.kind, RELAY_CLIENT_FAULT_TIMEOUT);
    expect_fault("timeout: no answer from 127.0.0.1 within 100 ms");
}

Test(http_get, a_refused_connection_is_a_fault)
{
    struct http_get request = {.url = loopback_url(&loopback, "http", "/"),
                               .token = "t",
                               .user_agent = "u",
                               .timeout_ms = LOOPBACK_PATIENCE_MS};

    loopback_close(&loopback);
    cr_expect_eq(http_get(&request, &answer, &fault), PROGRESS_FAILED);
    cr_expect_eq(fault.kind, RELAY_CLIENT_FAULT_CONNECT);
    cr_expect_not_null(strstr(fault.text, "Connection refused"));
}

Test(http_get, over_tls_to_a_server_that_is_trusted)
{
    struct tls_peer peer;

    tls_peer_init(&peer, "IP:127.0.0.1", 1);
    cr_assert_eq(get((struct script){.peer = &peer,
                                     .answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
                     LOOPBACK_PATIENCE_MS),
                 PROGRESS_DONE, "%s", fault.text);
    expect_answer(200, "ok");
    tls_peer_deinit(&peer);
}

Test(http_get, over_tls_to_another_name)
{
    struct tls_peer peer;

    tls_peer_init(&peer, "DNS:one.example", 1);
    cr_expect_eq(get((struct script){.peer = &peer, .answer = ""}, LOOPBACK_PATIENCE_MS),
                 PROGRESS_FAILED);
    cr_expect_eq(fault.kind, RELAY_CLIENT_FAULT_TLS);
    expect_fault("certificate of 127.0.0.1 is for one.example");
    tls_peer_deinit(&peer);
}
