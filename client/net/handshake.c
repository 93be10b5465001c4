#include "client/net/handshake.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/random.h"
#include "client/net/access.h"
#include "wire/ws_upgrade.h"

void handshake_init(struct handshake *handshake, const char *subprotocol)
{
    unsigned char nonce[16];

    handshake->subprotocol = subprotocol;
    random_bytes(nonce, sizeof nonce);
    EVP_EncodeBlock((unsigned char *)handshake->key, nonce, sizeof nonce);
}

int handshake_request_write(const struct handshake *handshake, const struct url *url,
                            const char *user_agent, char *text, size_t size)
{
    char authority[URL_AUTHORITY_SIZE];
    bool offers = handshake->subprotocol != NULL;

    url_authority(url, authority);
    int len =
        snprintf(text, size,
                 "GET %s HTTP/1.1\r\n"
                 "Host: %s\r\n"
                 "Upgrade: websocket\r\n"
                 "Connection: Upgrade\r\n"
                 "Sec-WebSocket-Key: %s\r\n"
                 "Sec-WebSocket-Version: 13\r\n"
                 "%s%s%s"
                 "User-Agent: %s\r\n\r\n",
                 url->target, authority, handshake->key, offers ? "Sec-WebSocket-Protocol: " : "",
                 offers ? handshake->subprotocol : "", offers ? "\r\n" : "", user_agent);

    return len < 0 || (size_t)len >= size ? -ENOSPC : len;
}

static bool list_has(const char *list, const char *token)
{
    return bytes_list_has_nocase(bytes_of_text(list), token);
}

bool handshake_is_granted(const struct handshake *handshake, const struct http_answer *answer)
{
    return handshake->subprotocol != NULL &&
           bytes_equal_text(bytes_trim(bytes_of_text(answer->protocol)), handshake->subprotocol);
}

enum progress handshake_answer_check(const struct handshake *handshake,
                                     const struct http_answer *answer, struct fault *fault)
{
    char accept[WS_ACCEPT_SIZE];

    if (answer->status != 101) {
        return access_fault(answer, fault);
    }
    if (ws_upgrade_accept(bytes_of_text(handshake->key), accept) != 0) {
        return fault_set(fault, RELAY_CLIENT_FAULT_HTTP, "out of memory");
    }
    if (!list_has(answer->upgrade, "websocket") || !list_has(answer->connection, "upgrade") ||
        !bytes_equal_text(bytes_trim(bytes_of_text(answer->accept)), accept)) {
        return fault_set(fault, RELAY_CLIENT_FAULT_HTTP,
                         "the answer to the WebSocket handshake is not a valid acceptance");
    }
    if (answer->extensions[0] != '\0' ||
        (answer->protocol[0] != '\0' && !handshake_is_granted(handshake, answer))) {
        return fault_set(fault, RELAY_CLIENT_FAULT_HTTP,
                         "the server chose an extension or subprotocol that was not offered");
    }
    return PROGRESS_DONE;
}
