/* Goal: an attempt asks for access, follows the answer to the WebSocket and upgrades; each refusal
 * on the way is its own fault. Method: the client's loop runs in a thread of the test; the test is
 * the server at its other end. */
#include "client/connection.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "tests/unit/client/net/loopback.h"

static struct loopback loopback;
static struct relay_client *client;
static struct relay_client_event last; /* read after the thread has ended */
static char last_message[256];

static void on_event(const struct relay_client_event *event, void *context)
{
    if (event->state == RELAY_CLIENT_FAILED) {
        last = *event;
        snprintf(last_message, sizeof last_message, "%s", event->message);
    }
}

static void start(void)
{
    loopback_open(&loopback);
}

static void stop(void)
{
    relay_client_destroy(client);
    loopback_close(&loopback);
}

TestSuite(dial, .init = start, .fini = stop);

static void client_begin(const char *scheme, const char *target)
{
    char location[128], error[RELAY_CLIENT_ERROR_SIZE];
    struct relay_client_options options = {.location = location,
                                           .token = "eyJ.a.b",
                                           .user_agent = "test/1",
                                           .no_reconnect = true,
                                           .connect_timeout_ms = LOOPBACK_PATIENCE_MS};
    struct relay_client_callbacks callbacks = {.on_event = on_event};

    snprintf(location, sizeof location, "%s://127.0.0.1:%u%s", scheme, loopback.port, target);
    client = relay_client_create(&options, &callbacks, error);
    cr_assert_not_null(client, "%s", error);
    cr_assert_eq(relay_client_start(client), 0);
}

/* Takes a request, whose head stays in head. The caller closes. */
static int request_take(char head[static 2048])
{
    int fd = loopback_accept(&loopback);

    cr_assert_geq(fd, 0);
    cr_assert(loopback_read_head(fd, head, 2048));
    return fd;
}

static void say(int fd, const char *text)
{
    cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void answer_access(const char *status, const char *body)
{
    char head[2048], text[1024], expected[512];
    int fd = request_take(head);

    snprintf(expected, sizeof expected,
             "POST /session/t HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAuthorization: eyJ.a.b\r\n"
             "User-Agent: test/1\r\nAccept: application/json\r\nContent-Length: 0\r\n"
             "Connection: close\r\n\r\n",
             loopback.port);
    cr_expect_str_eq(head, expected);
    snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status,
             strlen(body), body);
    say(fd, text);
    close(fd);
}

static void grant(void)
{
    char body[256];

    snprintf(body, sizeof body, "{\"uri\":\"ws://127.0.0.1:%u/session/t?code=c0de\"}",
             loopback.port);
    answer_access("200 OK", body);
}

/* RFC 6455 §4.2.2. */
static void accept_value(const char *head, char value[static 32])
{
    static const char name[] = "Sec-WebSocket-Key: ";
    const char *key = strstr(head, name);
    char text[128];
    uint8_t digest[SHA_DIGEST_LENGTH];

    cr_assert_not_null(key);
    snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key + sizeof name - 1);
    SHA1((const uint8_t *)text, strlen(text), digest);
    EVP_EncodeBlock((uint8_t *)value, digest, sizeof digest);
}

static void upgrade(int fd, const char *head)
{
    char value[32], text[256];

    accept_value(head, value);
    snprintf(text, sizeof text,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\n\r\n",
             value);
    say(fd, text);
}

static enum relay_client_state wait_for_change(enum relay_client_state from)
{
    struct timespec deadline;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += LOOPBACK_PATIENCE_MS / 1000;
    pthread_mutex_lock(&client->mutex);
    while (client->state == from &&
           pthread_cond_timedwait(&client->changed, &client->mutex, &deadline) == 0) {
    }
    enum relay_client_state state = client->state;

    pthread_mutex_unlock(&client->mutex);
    return state;
}

static void expect_failure(enum relay_client_fault fault, const char *text)
{
    enum relay_client_state state = RELAY_CLIENT_IDLE;

    for (int i = 0; i < 4 && state != RELAY_CLIENT_FAILED; i++) {
        state = wait_for_change(state);
    }
    relay_client_stop(client, 0); /* the thread has ended after this */
    cr_expect_eq(last.fault, fault, "%s", last_message);
    cr_expect_not_null(strstr(last_message, text), "%s", last_message);
}

Test(dial, access_leads_to_an_open_websocket)
{
    char head[2048], line[64];

    client_begin("http", "/session/t");
    grant();
    int fd = request_take(head);

    cr_expect_eq(strncmp(head, "GET /session/t?code=c0de HTTP/1.1\r\n", 35), 0, "%s", head);
    snprintf(line, sizeof line, "Host: 127.0.0.1:%u\r\n", loopback.port);
    cr_expect_not_null(strstr(head, line));
    cr_expect_null(strstr(head, "eyJ")); /* the token is for the access API only */
    upgrade(fd, head);
    cr_expect_eq(wait_for_change(RELAY_CLIENT_CONNECTING), RELAY_CLIENT_CONNECTED);
    close(fd);
}

Test(dial, a_websocket_url_is_dialled_at_once)
{
    char head[2048];

    client_begin("ws", "/session/t?code=c0de");
    int fd = request_take(head);

    cr_expect_eq(strncmp(head, "GET /session/t?code=c0de HTTP/1.1\r\n", 35), 0, "%s", head);
    upgrade(fd, head);
    cr_expect_eq(wait_for_change(RELAY_CLIENT_CONNECTING), RELAY_CLIENT_CONNECTED);
    close(fd);
}

Test(dial, a_token_that_is_refused)
{
    client_begin("http", "/session/t");
    answer_access("401 Unauthorized", "{\"code\":401,\"message\":\"token invalid\"}");
    expect_failure(RELAY_CLIENT_FAULT_REFUSED, "token invalid");
    cr_expect_eq(last.http_status, 401);
}

Test(dial, an_access_answer_that_makes_no_sense)
{
    client_begin("http", "/session/t");
    answer_access("200 OK", "{\"uri\":\"ftp://127.0.0.1/\"}");
    expect_failure(RELAY_CLIENT_FAULT_HTTP, "access 127.0.0.1:");
}

/* A code must not go where others can read it. */
Test(dial, an_answer_that_leads_to_plain_elsewhere)
{
    client_begin("http", "/session/t");
    answer_access("200 OK", "{\"uri\":\"ws://relay.invalid/session/t?code=c0de\"}");
    expect_failure(RELAY_CLIENT_FAULT_HTTP, "the answer leads to an unencrypted ws:// address");
    cr_expect_null(strstr(last_message, "c0de"));
}

Test(dial, an_end_without_an_answer)
{
    char head[2048];

    client_begin("http", "/session/t");
    close(request_take(head));
    expect_failure(RELAY_CLIENT_FAULT_HTTP, "the connection ended without an answer");
}

Test(dial, an_answer_that_is_not_http)
{
    char head[2048];

    client_begin("ws", "/session/t?code=c0de");
    int fd = request_take(head);

    say(fd, "SSH-2.0-OpenSSH\r\n");
    expect_failure(RELAY_CLIENT_FAULT_HTTP, "the answer is not valid HTTP");
    close(fd);
}

Test(dial, a_handshake_that_is_refused)
{
    char head[2048];

    client_begin("ws", "/session/t?code=c0de");
    int fd = request_take(head);

    say(fd, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    expect_failure(RELAY_CLIENT_FAULT_REFUSED, "websocket 127.0.0.1:");
    cr_expect_eq(last.http_status, 403);
    close(fd);
}
