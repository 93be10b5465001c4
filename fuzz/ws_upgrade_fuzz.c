/* Reaches ws_upgrade_check, ws_upgrade_offers, ws_upgrade_first_offer and ws_upgrade_accept behind
 * http_request_parse. An accepted request must meet every part of RFC 6455 §4.2.1, and its answer
 * must decode to the SHA-1 of key and GUID. Input: a request. */
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "wire/ws_upgrade.h"

enum { KEY_LEN = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_answer(struct bytes key, const char *accept)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t text[KEY_LEN + sizeof guid - 1], digest[SHA_DIGEST_LENGTH], decoded[32], nonce[32];

    CHECK(key.len == KEY_LEN && strlen(accept) == WS_ACCEPT_SIZE - 1);
    /* OpenSSL counts the padding as bytes: 18 and 21 stand for 16 and 20. */
    CHECK(EVP_DecodeBlock(nonce, key.data, KEY_LEN) == 18);
    CHECK(EVP_DecodeBlock(decoded, (const uint8_t *)accept, WS_ACCEPT_SIZE - 1) == 21);
    memcpy(text, key.data, KEY_LEN);
    memcpy(text + KEY_LEN, guid, sizeof guid - 1);
    SHA1(text, sizeof text, digest);
    CHECK(memcmp(decoded, digest, sizeof digest) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_request request;
    struct bytes input = bytes_of(data, size);
    struct bytes key;
    char accept[WS_ACCEPT_SIZE];

    http_request_init(&request);
    if (http_request_parse(&request, &input) != HTTP_REQUEST_OK) {
        return 0;
    }
    if (ws_upgrade_offers(&request, "null")) {
        CHECK(http_request_field(&request, "Sec-WebSocket-Protocol", &key));
    }
    if (ws_upgrade_first_offer(&request, &key)) {
        CHECK(key.len > 0 && bytes_find(key, ',') == key.len && bytes_find(key, ' ') == key.len);
    }
    if (ws_upgrade_check(&request) != WS_UPGRADE_OK) {
        return 0;
    }
    CHECK(request.is_upgrade && request.minor_version == 1);
    CHECK(strcmp(request.method, "GET") == 0);
    CHECK(http_request_field_has_token(&request, "Sec-WebSocket-Version", "13"));
    CHECK(http_request_field(&request, "Sec-WebSocket-Key", &key));
    CHECK(ws_upgrade_accept(key, accept) == 0);
    expect_answer(key, accept);
    return 0;
}
