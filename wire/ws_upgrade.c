#include "wire/ws_upgrade.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

#include "base/check.h"
#include "wire/http_token.h"

/* RFC 6455 §1.3. */
static const char accept_guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

enum {
    KEY_LEN = 24, /* base64 of 16 bytes */
    KEY_PADDING = 2,
};

static bool is_base64_char(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '+' ||
           c == '/';
}

static bool is_key(struct bytes key)
{
    if (key.len != KEY_LEN || key.data[KEY_LEN - 2] != '=' || key.data[KEY_LEN - 1] != '=') {
        return false;
    }
    for (size_t i = 0; i < KEY_LEN - KEY_PADDING; i++) {
        if (!is_base64_char(key.data[i])) {
            return false;
        }
    }
    return true;
}

/* A repeated key is invalid (§11.3.1). */
static bool has_key(const struct http_request *request)
{
    unsigned count = 0;
    bool is_good = false;

    for (unsigned i = 0; i < request->fields_count; i++) {
        if (bytes_equal_text_nocase(request->fields[i].name, "Sec-WebSocket-Key")) {
            count++;
            is_good = is_key(request->fields[i].value);
        }
    }
    return count == 1 && is_good;
}

enum ws_upgrade_result ws_upgrade_check(const struct http_request *request)
{
    /* Upgrade means nothing in HTTP/1.0 (RFC 9110 §7.8). */
    if (request->minor_version == 0 ||
        !http_request_field_has_token(request, "Upgrade", "websocket") ||
        !http_request_field_has_token(request, "Connection", "upgrade")) {
        return WS_UPGRADE_NOT_ASKED;
    }
    if (strcmp(request->method, "GET") != 0) {
        return WS_UPGRADE_BAD_METHOD;
    }
    if (!http_request_field_has_token(request, "Sec-WebSocket-Version", "13")) {
        return WS_UPGRADE_BAD_VERSION;
    }
    if (!has_key(request)) {
        return WS_UPGRADE_BAD_KEY;
    }
    return WS_UPGRADE_OK;
}

bool ws_upgrade_offers(const struct http_request *request, const char *subprotocol)
{
    return http_request_field_has_token(request, "Sec-WebSocket-Protocol", subprotocol);
}

bool ws_upgrade_first_offer(const struct http_request *request, struct bytes *ret_value)
{
    struct bytes list, first = {0};

    if (!http_request_field(request, "Sec-WebSocket-Protocol", &list)) {
        return false;
    }
    while (first.len == 0 && list.len > 0) { /* empty elements do not count (RFC 9110 §5.6.1.2) */
        first = bytes_take_item(&list);
    }
    if (!http_is_token(first)) {
        return false;
    }
    *ret_value = first;
    return true;
}

int ws_upgrade_accept(struct bytes key, char accept[static WS_ACCEPT_SIZE])
{
    uint8_t text[KEY_LEN + sizeof accept_guid - 1];
    uint8_t digest[SHA_DIGEST_LENGTH];

    CHECK(key.len == KEY_LEN);
    memcpy(text, key.data, KEY_LEN);
    memcpy(text + KEY_LEN, accept_guid, sizeof accept_guid - 1);
    if (SHA1(text, sizeof text, digest) == NULL) {
        return -ENOMEM;
    }
    EVP_EncodeBlock((unsigned char *)accept, digest, sizeof digest);
    return 0;
}
