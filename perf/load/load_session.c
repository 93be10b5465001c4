#include "perf/load/load_session.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/random.h"
#include "wire/address/url.h"

enum {
    RESPONSE_SIZE = 16384,
    REQUEST_SIZE = 12288,
    URI_SIZE = 2048,
    TOPIC_SIZE = 32,
    KEY_SIZE = 25,    /* base64 of 16 bytes, and the terminator */
    ACCEPT_SIZE = 29, /* base64 of a SHA-1, and the terminator */
};

struct response {
    char text[RESPONSE_SIZE];
    size_t len;
    size_t head_len; /* the empty line included */
    unsigned status;
};

typedef int response_reader(struct load_transport *transport, struct response *response,
                            char *error);

static void describe(char *error, const char *what, int result)
{
    const char *reason = result == -EAGAIN ? "no response in time"
                         : result == 0     ? "connection ended"
                                           : strerror(-result);

    snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "%s: %s", what, reason);
}

static int write_all(struct load_transport *transport, const char *data, size_t len, char *error)
{
    while (len > 0) {
        ssize_t sent = transport->ops->write(transport, data, len);

        if (sent <= 0) {
            describe(error, "cannot send the request", (int)sent);
            return sent < 0 ? (int)sent : -ECONNRESET;
        }
        data += sent;
        len -= (size_t)sent;
    }
    return 0;
}

/* 1: received more; 0: the connection ended; or -errno. */
static int response_receive(struct load_transport *transport, struct response *response)
{
    size_t room = sizeof response->text - 1 - response->len;

    if (room == 0) {
        return -EMSGSIZE;
    }
    ssize_t len = transport->ops->read(transport, response->text + response->len, room);

    if (len <= 0) {
        return (int)len;
    }
    response->len += (size_t)len;
    response->text[response->len] = '\0';
    return 1;
}

/* Reads up to the empty line; text may already hold bytes that follow it. */
static int response_read_head(struct load_transport *transport, struct response *response,
                              char *error)
{
    const char *end;

    response->len = 0;
    response->text[0] = '\0';
    while ((end = strstr(response->text, "\r\n\r\n")) == NULL) {
        int result = response_receive(transport, response);

        if (result <= 0) {
            describe(error, "no HTTP response", result);
            return result < 0 ? result : -ECONNRESET;
        }
    }
    response->head_len = (size_t)(end - response->text) + 4;
    if (sscanf(response->text, "HTTP/1.%*1[01] %3u", &response->status) != 1) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "the response is not HTTP");
        return -EPROTO;
    }
    return 0;
}

/* First field of that name. */
static bool response_field(const struct response *response, const char *name,
                           struct bytes *ret_value)
{
    struct bytes rest = bytes_of(response->text, response->head_len);

    while (rest.len > 0) {
        struct bytes line = bytes_of(rest.data, bytes_find(rest, '\n'));
        size_t colon = bytes_find(line, ':');

        rest = bytes_skip(rest, line.len + 1);
        if (colon < line.len && bytes_equal_text_nocase(bytes_of(line.data, colon), name)) {
            struct bytes value = bytes_skip(line, colon + 1);

            value.len -= value.len > 0 && value.data[value.len - 1] == '\r';
            *ret_value = bytes_trim(value);
            return true;
        }
    }
    return false;
}

/* Reads up to Content-Length if present, otherwise to the end of the connection. */
static int response_read_body(struct load_transport *transport, struct response *response,
                              char *error)
{
    struct bytes field;
    uint64_t length = UINT64_MAX;

    if (response_field(response, "Content-Length", &field) &&
        bytes_to_uint64(field, &length) != 0) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "the response has a bad Content-Length");
        return -EPROTO;
    }
    while (response->len - response->head_len < length) {
        int result = response_receive(transport, response);

        if (result < 0 || (result == 0 && length != UINT64_MAX)) {
            describe(error, "the response is truncated", result);
            return result < 0 ? result : -ECONNRESET;
        }
        if (result == 0) {
            break;
        }
    }
    return 0;
}

/* Reads to the end of the connection, for an answer that may be longer than a response holds. */
static int response_skip_body(struct load_transport *transport, struct response *response,
                              char *error)
{
    int result;

    do {
        response->len = response->head_len;
        result = response_receive(transport, response);
    } while (result > 0);
    if (result < 0) {
        describe(error, "the response is truncated", result);
    }
    return result;
}

static int url_open(const struct load_session *session, const struct url *url,
                    struct load_transport *ret_transport, char *error)
{
    struct load_transport_peer peer = {
        .host = url->host,
        .port = url->port,
        .tls = url->tls ? session->tls : NULL,
        .verify_name = !session->insecure,
        .receive_buffer_bytes = session->receive_buffer_bytes,
    };

    if (url->tls && session->tls == NULL) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE,
                 "the server answers with a TLS address: use --tls");
        return -EPROTO;
    }
    return load_transport_open(&peer, ret_transport, error);
}

int load_session_handshake(const struct load_session *session, struct load_transport *ret_transport,
                           char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    struct url url;

    if (url_parse(session->access_url, &url) != URL_OK) {
        return load_transport_fail(error, -EINVAL, "not the address of an access API");
    }
    return url_open(session, &url, ret_transport, error);
}

char *load_session_token_create(const struct load_session *session, const char *topic,
                                const char *scope)
{
    const char *booking_id = session->booking_id != NULL ? session->booking_id : "relay-bench";
    struct token_claims claims = {.prefix = "session", .nbf_s = clock_wall_s() - 1};
    char *token = NULL;

    claims.iat_s = claims.nbf_s;
    claims.exp_s = claims.nbf_s + session->token_life_s;
    snprintf(claims.topic, sizeof claims.topic, "%s", topic);
    snprintf(claims.booking_id, sizeof claims.booking_id, "%s", booking_id);
    if (!token_claims_add_scope(&claims, scope) ||
        !token_claims_add_audience(&claims, session->audience) ||
        token_sign(session->keys, &claims, &token) != TOKEN_OK) {
        return NULL;
    }
    return token;
}

static int uri_extract(const struct response *response, char uri[static URI_SIZE], char *error)
{
    const char *body = response->text + response->head_len;
    json_t *answer = json_loadb(body, response->len - response->head_len, 0, NULL);
    const char *text = json_string_value(json_object_get(answer, "uri"));
    int failed = 0;

    if (response->status != 200 || text == NULL || strlen(text) >= URI_SIZE) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "access was refused: HTTP %u %.*s",
                 response->status, 120, body);
        failed = -EACCES;
    } else {
        memcpy(uri, text, strlen(text) + 1);
    }
    json_decref(answer);
    return failed;
}

static int exchange(const struct load_session *session, const struct url *url, const char *request,
                    size_t request_len, response_reader *read_body, struct response *response,
                    char *error)
{
    struct load_transport transport;
    int failed = url_open(session, url, &transport, error);

    if (failed != 0) {
        return failed;
    }
    failed = write_all(&transport, request, request_len, error);
    if (failed == 0) {
        failed = response_read_head(&transport, response, error);
    }
    if (failed == 0) {
        failed = read_body(&transport, response, error);
    }
    load_transport_close(&transport);
    return failed;
}

/* A request to the access API on a connection of its own; token NULL: it could not be made. */
static int access_exchange(const struct load_session *session, const char *method,
                           const char *target, const char *token, response_reader *read_body,
                           struct response *response, char *error)
{
    struct url url;
    char request[REQUEST_SIZE];
    size_t base_len = strlen(session->access_url);

    base_len -= base_len > 0 && session->access_url[base_len - 1] == '/';
    snprintf(request, sizeof request, "%.*s%s", (int)base_len, session->access_url, target);
    if (token == NULL || url_parse(request, &url) != URL_OK) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "cannot parse, or make a token for, %.150s",
                 request);
        return -EINVAL;
    }
    int len = snprintf(request, sizeof request,
                       "%s %s HTTP/1.1\r\nHost: %s:%u\r\nAuthorization: %s\r\n"
                       "Content-Length: 0\r\nConnection: close\r\n\r\n",
                       method, url.target, url.host, url.port, token);
    int failed = -EMSGSIZE;

    if (len < REQUEST_SIZE) {
        failed = exchange(session, &url, request, (size_t)len, read_body, response, error);
    } else {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "the token does not fit into a request");
    }
    bytes_wipe(request, sizeof request);
    return failed;
}

/* The access step: a token for a WebSocket URI. */
static int access_request(const struct load_session *session, const char *topic,
                          enum connector_role role, char uri[static URI_SIZE], char *error)
{
    struct response response = {0};
    char target[sizeof "/session/" + TOPIC_SIZE];
    char *token =
        load_session_token_create(session, topic, role == CONNECTOR_PUBLISHER ? "write" : "read");

    snprintf(target, sizeof target, "/session/%s", topic);
    int failed =
        access_exchange(session, "POST", target, token, response_read_body, &response, error);

    if (failed == 0) {
        failed = uri_extract(&response, uri, error);
    }
    if (token != NULL) {
        bytes_wipe(token, strlen(token));
    }
    free(token);
    return failed;
}

int load_session_request(const struct load_session *session, const char *method, const char *target,
                         const char *token, unsigned *ret_status,
                         char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    struct response response = {0};
    int failed =
        access_exchange(session, method, target, token, response_skip_body, &response, error);

    if (failed == 0) {
        *ret_status = response.status;
    }
    return failed;
}

/* RFC 6455 §4.2.2: base64 of the SHA-1 of the key and a fixed text. */
static void accept_expected(const char *key, char accept[static ACCEPT_SIZE])
{
    char text[KEY_SIZE + 64];
    uint8_t digest[EVP_MAX_MD_SIZE];
    int len = snprintf(text, sizeof text, "%s%s", key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");

    EVP_Digest(text, (size_t)len, digest, NULL, EVP_sha1(), NULL);
    EVP_EncodeBlock((unsigned char *)accept, digest, 20);
}

static int upgrade_check(const struct response *response, const char *key, char *error)
{
    char accept[ACCEPT_SIZE];
    struct bytes upgrade = {0};
    struct bytes accepted = {0};

    accept_expected(key, accept);
    if (response->status != 101) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "the upgrade was refused: HTTP %u %.*s",
                 response->status, 120, response->text + response->head_len);
        return -EACCES;
    }
    if (!response_field(response, "Upgrade", &upgrade) ||
        !response_field(response, "Sec-WebSocket-Accept", &accepted) ||
        !bytes_equal_text_nocase(upgrade, "websocket") || !bytes_equal_text(accepted, accept)) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "the response to the upgrade is invalid");
        return -EPROTO;
    }
    return 0;
}

static int upgrade_exchange(struct connection *connection, const struct url *url, char *error)
{
    struct response response = {0};
    char request[URL_TARGET_SIZE + URL_HOST_SIZE + 256];
    char key[KEY_SIZE];
    uint8_t nonce[16];

    random_bytes(nonce, sizeof nonce);
    EVP_EncodeBlock((unsigned char *)key, nonce, sizeof nonce);
    int len = snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: %s:%u\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                       "Sec-WebSocket-Version: 13\r\nUser-Agent: relay-bench\r\n\r\n",
                       url->target, url->host, url->port, key);
    int failed = write_all(&connection->transport, request, (size_t)len, error);

    if (failed == 0) {
        failed = response_read_head(&connection->transport, &response, error);
    }
    if (failed == 0) {
        failed = upgrade_check(&response, key, error);
    }
    if (failed != 0) {
        return failed;
    }
    size_t early_len = response.len - response.head_len;

    if (early_len > sizeof connection->early) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "too much data came with the upgrade");
        return -EMSGSIZE;
    }
    memcpy(connection->early, response.text + response.head_len, early_len);
    connection->early_len = early_len;
    return 0;
}

/* Copies text with "{topic}" and "{role}" filled in. */
static int template_fill(const char *text, const char *topic, enum connector_role role,
                         char uri[static URI_SIZE])
{
    const char *role_text = role == CONNECTOR_PUBLISHER ? "write" : "read";
    size_t len = 0;

    while (*text != '\0') {
        bool is_topic = strncmp(text, "{topic}", 7) == 0;
        bool is_role = strncmp(text, "{role}", 6) == 0;
        const char *part = is_topic ? topic : is_role ? role_text : text;
        size_t part_len = is_topic || is_role ? strlen(part) : 1;

        if (len + part_len >= URI_SIZE) {
            return -ENAMETOOLONG;
        }
        memcpy(uri + len, part, part_len);
        len += part_len;
        text += is_topic ? 7 : is_role ? 6 : 1;
    }
    uri[len] = '\0';
    return 0;
}

static int load_session_open(void *ctx, unsigned topic, enum connector_role role,
                             struct connection *ret_connection,
                             char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    const struct load_session *session = ctx;
    struct url url;
    char topic_text[TOPIC_SIZE];
    char uri[URI_SIZE];

    snprintf(topic_text, sizeof topic_text, "bench-%u", session->topic_first + topic);
    int failed = session->access_url != NULL
                     ? access_request(session, topic_text, role, uri, error)
                     : template_fill(session->connect_url, topic_text, role, uri);

    if (failed == 0 && url_parse(uri, &url) != URL_OK) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "not a WebSocket address");
        failed = -EINVAL;
    }
    if (failed == 0) {
        failed = url_open(session, &url, &ret_connection->transport, error);
    }
    if (failed != 0) {
        return failed;
    }
    failed = upgrade_exchange(ret_connection, &url, error);
    if (failed != 0) {
        load_transport_close(&ret_connection->transport);
    }
    return failed;
}

struct connector load_session_connector(struct load_session *session)
{
    return (struct connector){.ctx = session, .is_masked = true, .open = load_session_open};
}
