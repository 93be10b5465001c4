#include "client/net/handshake.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/random.h"
#include "client/net/access.h"
#include "wire/ws_upgrade.h"

void handshake_init(struct handshake *handshake)
{
    unsigned char nonce[16];

    random_bytes(nonce, sizeof nonce);
    EVP_EncodeBlock((unsigned char *)handshake->key, nonce, sizeof nonce);
}

int handshake_request_write(const struct handshake *handshake, const struct url *url,
                            const char *user_agent, char *text, size_t size)
{
    char authority[URL_AUTHORITY_SIZE];

    url_authority(url, authority);
    int len = snprintf(text, size,
                       "GET %s HTTP/1.1\r\n"
                       "Host: %s\r\n"
                       "Upgrade: websocket\r\n"
                       "Connection: Upgrade\r\n"
                       "Sec-WebSocket-Key: %s\r\n"
                       "Sec-WebSocket-Version: 13\r\n"
                       "User-Agent: %s\r\n\r\n",
                       url->target, authority, handshake->key, user_agent);

    return len < 0 || (size_t)len >= size ? -ENOSPC : len;
}

static bool list_has(const char *list, const char *token)
{
    struct bytes rest = bytes_of_text(list);

    while (rest.len > 0) {
        size_t comma = bytes_find(rest, ',');

        if (bytes_equal_text_nocase(bytes_trim(bytes_of(rest.data, comma)), token)) {
            return true;
        }
        rest = bytes_skip(rest, comma + 1);
    }
    return false;
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
    if (answer->extensions[0] != '\0' || answer->protocol[0] != '\0') {
        return fault_set(fault, RELAY_CLIENT_FAULT_HTTP,
                         "the server chose an extension or subprotocol that was not offered");
    }
    return PROGRESS_DONE;
}
