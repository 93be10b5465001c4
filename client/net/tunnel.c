#include "client/net/tunnel.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/version.h"

/* With its port in any case (RFC 9112 §3.2.3). */
static void authority_write(const struct url *url, char text[static URL_AUTHORITY_SIZE])
{
    snprintf(text, URL_AUTHORITY_SIZE, url->ipv6 ? "[%s]:%u" : "%s:%u", url->host, url->port);
}

void tunnel_start(struct tunnel *tunnel, const struct proxy *proxy, const struct url *url)
{
    uint8_t encoded[2 * PROXY_CREDENTIALS_SIZE] = "";
    char authority[URL_AUTHORITY_SIZE];
    bool has_credentials = proxy->credentials[0] != '\0';

    if (has_credentials) {
        EVP_EncodeBlock(encoded, (const uint8_t *)proxy->credentials,
                        (int)strlen(proxy->credentials));
    }
    authority_write(url, authority);
    int len = snprintf(
        tunnel->request, sizeof tunnel->request,
        "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: relay-client/%s\r\n%s%s%s\r\n", authority,
        authority, RELAY_VERSION, has_credentials ? "Proxy-Authorization: Basic " : "",
        (char *)encoded, has_credentials ? "\r\n" : "");

    CHECK(len > 0 && len < (int)sizeof tunnel->request); /* each part is bounded */
    bytes_wipe(encoded, sizeof encoded);
    tunnel->request_len = (size_t)len;
    tunnel->request_sent = 0;
    tunnel->answer_len = 0;
}

static enum progress request_send(struct tunnel *tunnel, struct transport *transport,
                                  struct fault *fault)
{
    while (tunnel->request_sent < tunnel->request_len) {
        ssize_t sent = transport_write(transport, tunnel->request + tunnel->request_sent,
                                       tunnel->request_len - tunnel->request_sent, fault);

        if (sent < 0) {
            return sent == -EAGAIN ? PROGRESS_WAIT : PROGRESS_FAILED;
        }
        tunnel->request_sent += (size_t)sent;
    }
    bytes_wipe(tunnel->request, sizeof tunnel->request);
    return PROGRESS_DONE;
}

/* The status line of a whole head. */
static enum progress judge(struct tunnel *tunnel, struct fault *fault)
{
    int status = 0;

    tunnel->answer[strcspn(tunnel->answer, "\r\n")] = '\0';
    if (sscanf(tunnel->answer, "HTTP/1.%*1[0-9] %3d", &status) != 1) {
        return fault_set(fault, RELAY_CLIENT_FAULT_CONNECT, "the proxy's answer is not HTTP");
    }
    if (status / 100 == 2) {
        return PROGRESS_DONE;
    }
    return fault_set(fault, RELAY_CLIENT_FAULT_CONNECT, "the proxy refuses: %.64s",
                     tunnel->answer + strlen("HTTP/1.1 "));
}

static bool is_whole(const struct tunnel *tunnel)
{
    return tunnel->answer_len >= 4 &&
           memcmp(tunnel->answer + tunnel->answer_len - 4, "\r\n\r\n", 4) == 0;
}

/* Byte by byte: what follows the head belongs to the host. */
static enum progress answer_read(struct tunnel *tunnel, struct transport *transport,
                                 struct fault *fault)
{
    while (!is_whole(tunnel)) {
        if (tunnel->answer_len == TUNNEL_ANSWER_BYTES_MAX) {
            return fault_set(fault, RELAY_CLIENT_FAULT_CONNECT, "the proxy's answer is too long");
        }
        ssize_t got = transport_read(transport, tunnel->answer + tunnel->answer_len, 1, fault);

        if (got < 0) {
            return got == -EAGAIN ? PROGRESS_WAIT : PROGRESS_FAILED;
        }
        if (got == 0) {
            return fault_set(fault, RELAY_CLIENT_FAULT_CONNECT, "the proxy closed the connection");
        }
        tunnel->answer_len++;
    }
    tunnel->answer[tunnel->answer_len] = '\0';
    return judge(tunnel, fault);
}

enum progress tunnel_advance(struct tunnel *tunnel, struct transport *transport,
                             struct fault *fault)
{
    enum progress progress = request_send(tunnel, transport, fault);

    return progress == PROGRESS_DONE ? answer_read(tunnel, transport, fault) : progress;
}
