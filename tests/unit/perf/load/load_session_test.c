/* Goal: the generator joins a relay as clients do, and every answer that is none ends with its
 * reason. Method: a server of the test's own in a thread, which answers as told, byte for byte. */
#include "perf/load/load_session.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { REQUEST_SIZE = 12288, STEPS_MAX = 2, PATIENCE_MS = 20000 };

#define SWITCHING "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n"

/* The server's answers, one for each request; "{port}" and "{accept}" are filled in. */
static const char *answers[STEPS_MAX];
static char requests[STEPS_MAX][REQUEST_SIZE];
static int listener;
static uint16_t port;
static pthread_t thread;
static char access_url[64], connect_url[128];
static struct token_keys *keys;
static struct load_session session;
static struct connection connection;
static char error[LOAD_TRANSPORT_ERROR_SIZE];

static void accept_make(const char *request, char accept_text[static 32])
{
    const char *field = strstr(request, "Sec-WebSocket-Key: ");
    char text[128];
    uint8_t digest[EVP_MAX_MD_SIZE];

    accept_text[0] = '\0';
    if (field != NULL) {
        int len = snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
                           field + strlen("Sec-WebSocket-Key: "));

        EVP_Digest(text, (size_t)len, digest, NULL, EVP_sha1(), NULL);
        EVP_EncodeBlock((unsigned char *)accept_text, digest, 20);
    }
}

/* Copies the answer with its parts filled in. */
static size_t answer_make(const char *template, const char *request, char *answer, size_t size)
{
    char accept_text[32];
    size_t len = 0;

    accept_make(request, accept_text);
    for (const char *c = template; *c != '\0' && len + 64 < size;) {
        if (strncmp(c, "{port}", 6) == 0) {
            len += (size_t)snprintf(answer + len, size - len, "%u", port);
            c += 6;
        } else if (strncmp(c, "{accept}", 8) == 0) {
            len += (size_t)snprintf(answer + len, size - len, "%s", accept_text);
            c += 8;
        } else {
            answer[len++] = *c++;
        }
    }
    return len;
}

static void *server_run(void *context)
{
    static char answer[32768];

    for (unsigned i = 0; i < STEPS_MAX && answers[i] != NULL; i++) {
        struct pollfd ready = {.fd = listener, .events = POLLIN};
        int fd = poll(&ready, 1, PATIENCE_MS) > 0 ? accept(listener, NULL, NULL) : -1;
        size_t len = 0;
        ssize_t got;

        if (fd < 0) {
            return NULL;
        }
        while (strstr(requests[i], "\r\n\r\n") == NULL &&
               (got = recv(fd, requests[i] + len, REQUEST_SIZE - 1 - len, 0)) > 0) {
            len += (size_t)got;
        }
        len = answer_make(answers[i], requests[i], answer, sizeof answer);
        (void)!send(fd, answer, len, MSG_NOSIGNAL);
        shutdown(fd, SHUT_WR);
        close(fd);
    }
    return NULL;
}

static void start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;

    listener = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&address, len), 0);
    cr_assert_eq(listen(listener, 8), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    port = ntohs(address.sin_port);
    snprintf(access_url, sizeof access_url, "http://127.0.0.1:%u/access/", port);
    snprintf(connect_url, sizeof connect_url, "ws://127.0.0.1:%u/{topic}?as={role}&{other}", port);
    keys = token_keys_create("somesecret");
    session = (struct load_session){
        .access_url = access_url, .audience = access_url, .keys = keys, .token_life_s = 600};
}

static void stop(void)
{
    load_transport_close(&connection.transport);
    token_keys_destroy(keys);
    close(listener);
}

TestSuite(load_session, .init = start, .fini = stop);

static int open_as(enum connector_role role)
{
    struct connector connector = load_session_connector(&session);

    cr_expect(connector.is_masked);
    cr_assert_eq(pthread_create(&thread, NULL, server_run, NULL), 0);
    int failed = connector.open(connector.ctx, 7, role, &connection, error);

    if (failed != 0) {
        /* The server need not wait for a request that is not made. */
        shutdown(listener, SHUT_RDWR);
    }
    pthread_join(thread, NULL);
    return failed;
}

static void open_and_fail(int failed, const char *reason)
{
    cr_expect_eq(open_as(CONNECTOR_VIEWER), failed, "%s", error);
    cr_expect_eq(strncmp(error, reason, strlen(reason)), 0, "\"%s\" is not \"%s\"", error, reason);
    cr_expect_null(connection.transport.ops);
}

static const char *const grant = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
                                 "{\"uri\":\"ws://127.0.0.1:{port}/session/bench-7?code=abc\"}";
static const char *const upgrade =
    SWITCHING "Connection: Upgrade\r\nsec-websocket-accept:  {accept} \r\n\r\n";

static void expect_token(const char *scope, const char *other_scope)
{
    char text[REQUEST_SIZE];
    struct token_claims claims;

    cr_assert_eq(sscanf(strstr(requests[0], "Authorization: "), "Authorization: %12287s", text), 1);
    cr_assert_eq(token_verify(session.keys, bytes_of_text(text), clock_wall_s(), &claims),
                 TOKEN_OK);
    cr_expect_str_eq(claims.topic, "bench-7");
    cr_expect(token_claims_have_scope(&claims, scope));
    cr_expect_not(token_claims_have_scope(&claims, other_scope));
    cr_expect(token_claims_have_audience(&claims, access_url));
}

Test(load_session, joins_through_the_access_api)
{
    answers[0] = grant;
    answers[1] = upgrade;
    cr_assert_eq(open_as(CONNECTOR_VIEWER), 0, "%s", error);
    cr_expect_eq(strncmp(requests[0], "POST /access/session/bench-7 HTTP/1.1\r\n", 39), 0, "%s",
                 requests[0]);
    expect_token("read", "write");
    cr_expect_eq(strncmp(requests[1], "GET /session/bench-7?code=abc HTTP/1.1\r\n", 40), 0, "%s",
                 requests[1]);
    cr_expect_not_null(strstr(requests[1], "\r\nSec-WebSocket-Version: 13\r\n"));
    cr_expect_eq(connection.early_len, 0);
}

Test(load_session, publishes_with_the_other_scope)
{
    answers[0] = grant;
    answers[1] = upgrade;
    cr_assert_eq(open_as(CONNECTOR_PUBLISHER), 0, "%s", error);
    expect_token("write", "read");
}

Test(load_session, keeps_what_came_with_the_upgrade)
{
    answers[0] = grant;
    answers[1] = SWITCHING "Sec-WebSocket-Accept: {accept}\r\n\r\nearly";
    cr_assert_eq(open_as(CONNECTOR_VIEWER), 0, "%s", error);
    cr_assert_eq(connection.early_len, 5);
    cr_expect_eq(memcmp(connection.early, "early", 5), 0);
}

Test(load_session, fills_the_address_of_a_server_without_access_api)
{
    session.access_url = NULL;
    session.connect_url = connect_url;
    answers[0] = upgrade;
    cr_assert_eq(open_as(CONNECTOR_PUBLISHER), 0, "%s", error);
    cr_expect_eq(strncmp(requests[0], "GET /bench-7?as=write&{other} HTTP/1.1\r\n", 40), 0, "%s",
                 requests[0]);
}

Test(load_session, tells_a_refusal_of_access)
{
    answers[0] = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 7\r\n\r\nexpired and more";
    open_and_fail(-EACCES, "access was refused: HTTP 401 expired");
}

Test(load_session, refuses_answers_that_grant_nothing)
{
    static const struct {
        const char *answer;
        int failed;
        const char *reason;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\n\r\n{}", -EACCES, "access was refused: HTTP 200 {}"},
        {"HTTP/1.1 200 OK\r\n\r\n{\"uri\":1}", -EACCES, "access was refused: HTTP 200"},
        {"HTTP/1.1 200 OK\r\n\r\n{\"uri\":\"h\"}", -EINVAL, "not a WebSocket address"},
        {"HTTP/1.1 200 OK\r\n\r\n{\"uri\":\"wss://h\"}", -EPROTO,
         "the server answers with a TLS address: use --tls"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{", -ECONNRESET,
         "the response is truncated: connection ended"},
        {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{", -EPROTO,
         "the response has a bad Content-Length"},
        {"HTTP/2 200 OK\r\n\r\n", -EPROTO, "the response is not HTTP"},
        {"HTTP/1.1 200 OK\r\n", -ECONNRESET, "no HTTP response: connection ended"},
        {"", -ECONNRESET, "no HTTP response: connection ended"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        memset(requests, 0, sizeof requests);
        answers[0] = cases[i].answer;
        open_and_fail(cases[i].failed, cases[i].reason);
        stop();
        start();
    }
}

Test(load_session, refuses_upgrades_that_are_none)
{
    static const struct {
        const char *answer;
        int failed;
        const char *reason;
    } cases[] = {
        {"HTTP/1.1 404 Not Found\r\n\r\nno such topic", -EACCES,
         "the upgrade was refused: HTTP 404 no such topic"},
        {SWITCHING "\r\n", -EPROTO, "the response to the upgrade is invalid"},
        {SWITCHING "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", -EPROTO,
         "the response to the upgrade is invalid"},
        {"HTTP/1.1 101 X\r\nUpgrade: h2c\r\nSec-WebSocket-Accept: {accept}\r\n\r\n", -EPROTO,
         "the response to the upgrade is invalid"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        memset(requests, 0, sizeof requests);
        session.access_url = NULL;
        session.connect_url = connect_url;
        answers[0] = cases[i].answer;
        open_and_fail(cases[i].failed, cases[i].reason);
        stop();
        start();
    }
}

Test(load_session, refuses_a_response_without_end)
{
    static char endless[20000];

    memset(endless, 'x', sizeof endless - 1);
    memcpy(endless, "HTTP/1.1 200 OK\r\nX: ", 20);
    answers[0] = endless;
    open_and_fail(-EMSGSIZE, "no HTTP response: ");
}

Test(load_session, says_that_it_can_make_no_token)
{
    session.access_url = "nowhere";
    open_and_fail(-EINVAL, "cannot parse, or make a token for, nowhere/session/bench-7");
}

Test(load_session, only_connects_where_that_is_asked)
{
    cr_assert_eq(load_session_handshake(&session, &connection.transport, error), 0, "%s", error);
    int fd = accept(listener, NULL, NULL);

    cr_expect_geq(fd, 0);
    close(fd);
    load_transport_close(&connection.transport);
    session.access_url = "no address";
    cr_expect_eq(load_session_handshake(&session, &connection.transport, error), -EINVAL);
    cr_expect_str_eq(error, "not the address of an access API");
}
