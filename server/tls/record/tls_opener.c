#include "server/tls/record/tls_opener.h"

#include <openssl/err.h>

#include "base/check.h"

enum { LEGACY_VERSION = 0x03 };

enum tls_opened tls_opener_measure(const uint8_t header[static TLS_RECORD_HEADER], size_t *ret_len)
{
    size_t len = (size_t)header[3] << 8 | header[4];

    *ret_len = TLS_RECORD_HEADER + len;
    /* After the handshake neither plain alerts nor change_cipher_spec have a place (§5, §D.4). */
    if (header[0] != TLS_CONTENT_DATA) {
        return TLS_OPENED_UNEXPECTED;
    }
    if (header[1] != LEGACY_VERSION || header[2] != LEGACY_VERSION) {
        return TLS_OPENED_BAD_VERSION;
    }
    if (len < TLS_SEALED_BYTES_MIN) {
        return TLS_OPENED_BAD_TAG;
    }
    return len > TLS_SEALED_BYTES_MAX ? TLS_OPENED_OVERFLOW : TLS_OPENED;
}

static enum tls_opened decrypt(struct tls_cipher *cipher, uint8_t *record, size_t inner_len)
{
    uint8_t *inner = record + TLS_RECORD_HEADER;
    uint8_t none[TLS_TAG_BYTES];
    int written;

    if (!tls_cipher_begin(cipher, record) ||
        EVP_DecryptUpdate(cipher->context, inner, &written, inner, (int)inner_len) != 1 ||
        EVP_CIPHER_CTX_ctrl(cipher->context, EVP_CTRL_AEAD_SET_TAG, TLS_TAG_BYTES,
                            inner + inner_len) != 1) {
        ERR_clear_error();
        return TLS_OPENED_FAILED;
    }
    if (EVP_DecryptFinal_ex(cipher->context, none, &written) != 1) {
        ERR_clear_error();
        return TLS_OPENED_BAD_TAG;
    }
    return TLS_OPENED;
}

/* False: more of what carries no data than a peer may send. */
static bool may_come(struct tls_opener *opener, uint8_t type, size_t len)
{
    if (type == TLS_CONTENT_DATA && len > 0) {
        opener->idle = 0;
        opener->data_records++;
        opener->key_updates -=
            opener->key_updates > 0 && opener->data_records % TLS_KEY_UPDATE_RECORDS == 0;
        return true;
    }
    opener->idle++;
    opener->key_updates += type == TLS_CONTENT_HANDSHAKE;
    return opener->idle <= TLS_IDLE_RECORDS_MAX && opener->key_updates <= TLS_KEY_UPDATES_MAX;
}

/* Behind the content stands its type, which is not zero, then padding, which is (§5.4). */
static enum tls_opened take_type(struct tls_opener *opener, const uint8_t *inner, size_t len,
                                 uint8_t *ret_type, struct bytes *ret_payload)
{
    while (len > 0 && inner[len - 1] == 0) {
        len--;
    }
    if (len == 0) {
        return TLS_OPENED_UNEXPECTED; /* padding only */
    }
    *ret_type = inner[len - 1];
    *ret_payload = bytes_of(inner, len - 1);
    return may_come(opener, *ret_type, ret_payload->len) ? TLS_OPENED : TLS_OPENED_UNEXPECTED;
}

enum tls_opened tls_opener_open(struct tls_opener *opener, uint8_t *record, size_t len,
                                uint8_t *ret_type, struct bytes *ret_payload)
{
    CHECK(len >= TLS_RECORD_HEADER + TLS_SEALED_BYTES_MIN);
    CHECK(len <= TLS_RECORD_HEADER + TLS_SEALED_BYTES_MAX);
    size_t inner_len = len - TLS_RECORD_HEADER - TLS_TAG_BYTES;
    enum tls_opened opened = decrypt(&opener->cipher, record, inner_len);

    return opened == TLS_OPENED
               ? take_type(opener, record + TLS_RECORD_HEADER, inner_len, ret_type, ret_payload)
               : opened;
}
