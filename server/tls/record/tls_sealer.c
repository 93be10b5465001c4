#include "server/tls/record/tls_sealer.h"

#include "base/check.h"

enum { LEGACY_VERSION = 0x03, CONTENT_TYPE_BYTES = 1 };

size_t tls_sealer_size(size_t plain_len)
{
    size_t records = (plain_len + TLS_RECORD_PAYLOAD_MAX - 1) / TLS_RECORD_PAYLOAD_MAX;

    return plain_len + records * TLS_SEAL_OVERHEAD;
}

static void put_header(uint8_t *header, size_t inner_len)
{
    size_t len = inner_len + TLS_TAG_BYTES;

    header[0] = TLS_CONTENT_DATA;
    header[1] = LEGACY_VERSION;
    header[2] = LEGACY_VERSION;
    header[3] = (uint8_t)(len >> 8);
    header[4] = (uint8_t)len;
}

/* len bytes of plain, encrypted to output. */
static bool encrypt(EVP_CIPHER_CTX *context, struct tls_plain *plain, size_t len, uint8_t *output)
{
    plain->len -= len;
    while (len > 0) {
        const struct iovec *slice = plain->slices;
        size_t left = slice->iov_len - plain->offset;
        size_t take = left < len ? left : len;
        const uint8_t *from = slice->iov_base;
        int written;

        if (EVP_EncryptUpdate(context, output, &written, from + plain->offset, (int)take) != 1) {
            return false;
        }
        output += take;
        len -= take;
        plain->offset += take;
        if (take == left) {
            plain->slices++;
            plain->offset = 0;
        }
    }
    return true;
}

/* The type, which is encrypted too, and the tag. */
static bool finish(EVP_CIPHER_CTX *context, uint8_t type, uint8_t *output)
{
    int written;

    return EVP_EncryptUpdate(context, output, &written, &type, CONTENT_TYPE_BYTES) == 1 &&
           EVP_EncryptFinal_ex(context, output + CONTENT_TYPE_BYTES, &written) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TLS_TAG_BYTES,
                               output + CONTENT_TYPE_BYTES) == 1;
}

size_t tls_sealer_seal(struct tls_sealer *sealer, enum tls_content type, struct tls_plain *plain,
                       uint8_t *output)
{
    const struct tls_cipher *cipher = &sealer->cipher;
    size_t len = plain->len < TLS_RECORD_PAYLOAD_MAX ? plain->len : TLS_RECORD_PAYLOAD_MAX;
    uint8_t *payload = output + TLS_RECORD_HEADER;

    put_header(output, len + CONTENT_TYPE_BYTES);
    if (!tls_cipher_begin(&sealer->cipher, output) ||
        !encrypt(cipher->context, plain, len, payload) ||
        !finish(cipher->context, (uint8_t)type, payload + len)) {
        return 0;
    }
    return len + TLS_SEAL_OVERHEAD;
}

size_t tls_sealer_update(struct tls_sealer *sealer, uint8_t *output)
{
    static uint8_t key_update[TLS_KEY_UPDATE_BYTES] = {24, 0, 0, 1, 0}; /* none is requested */
    const struct iovec slice = {.iov_base = key_update, .iov_len = sizeof key_update};
    struct tls_plain plain = {.slices = &slice, .len = sizeof key_update};
    size_t len = tls_sealer_seal(sealer, TLS_CONTENT_HANDSHAKE, &plain, output);

    return len > 0 && tls_cipher_update(&sealer->cipher) ? len : 0;
}

bool tls_sealer_is_spent(const struct tls_sealer *sealer)
{
    return sealer->cipher.suite != TLS_CHACHA20_POLY1305 &&
           sealer->cipher.sequence >= TLS_SEAL_RECORDS_MAX;
}
