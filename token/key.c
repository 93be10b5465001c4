#include "token/key.h"

#include <errno.h>
#include <limits.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum {
    ES256_NUMBER_BYTES = 32,
    ES256_SIGNATURE_BYTES = 2 * ES256_NUMBER_BYTES,
    ES256_DER_BYTES_MAX = 72, /* two numbers of 33 bytes with their heads */
    EDDSA_SIGNATURE_BYTES = 64,
};

bool key_id_is_valid(struct bytes id)
{
    for (size_t i = 0; i < id.len; i++) {
        if (id.data[i] <= ' ' || id.data[i] >= 0x7f) {
            return false;
        }
    }
    return id.len > 0 && id.len < TOKEN_KEY_ID_SIZE;
}

static bool material_set(struct key *key, const void *data, size_t len)
{
    key->material = malloc(len + 1);
    if (key->material == NULL) {
        return false;
    }
    memcpy(key->material, data, len);
    key->material[len] = '\0';
    key->material_len = len;
    return true;
}

/* NULL: not one for secrets. */
static const EVP_MD *hmac_digest(enum token_algorithm algorithm)
{
    switch (algorithm) {
    case TOKEN_HS256:
        return EVP_sha256();
    case TOKEN_HS384:
        return EVP_sha384();
    case TOKEN_HS512:
        return EVP_sha512();
    case TOKEN_EDDSA:
    case TOKEN_ES256:
    case TOKEN_RS256:
        return NULL;
    case TOKEN_ALGORITHM_COUNT:
        break;
    }
    UNREACHABLE();
}

int key_init_secret(struct key *key, struct bytes secret, enum token_algorithm algorithm)
{
    CHECK(token_algorithm_is_hmac(algorithm));
    CHECK(secret.len >= TOKEN_SECRET_BYTES_MIN && secret.len <= INT_MAX);
    *key = (struct key){.algorithm = algorithm, .can_sign = true};
    return material_set(key, secret.data, secret.len) ? 0 : -ENOMEM;
}

void key_deinit(struct key *key)
{
    if (key->material != NULL) {
        bytes_wipe(key->material, key->material_len);
    }
    free(key->material);
    free(key->origin);
    EVP_PKEY_free(key->pair);
    *key = (struct key){0};
}

static int refuse(char *reason, const char *text)
{
    snprintf(reason, KEY_REASON_SIZE, "%s", text);
    return -EINVAL;
}

/* Parameters spelt out can differ from P-256 in the one that lets anybody sign. */
static int curve_check(const EVP_PKEY *pair, char *reason)
{
    char name[32] = "unknown";
    size_t name_len;
    int spelt_out = 1;

    EVP_PKEY_get_group_name(pair, name, sizeof name, &name_len);
    if (strcmp(name, "prime256v1") != 0) {
        snprintf(reason, KEY_REASON_SIZE, "EC key on curve %s, only P-256 is taken", name);
        return -EINVAL;
    }
    if (EVP_PKEY_get_int_param(pair, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &spelt_out) !=
            1 ||
        spelt_out != 0) {
        return refuse(reason, "EC key that spells out its curve instead of naming it");
    }
    return 0;
}

static int rsa_check(const EVP_PKEY *pair, char *reason)
{
    int bits = EVP_PKEY_get_bits(pair);

    if (bits < TOKEN_RSA_BITS_MIN || bits > TOKEN_RSA_BITS_MAX) {
        snprintf(reason, KEY_REASON_SIZE, "RSA key of %d bits, only %d to %d are taken", bits,
                 TOKEN_RSA_BITS_MIN, TOKEN_RSA_BITS_MAX);
        return -EINVAL;
    }
    return 0;
}

static int algorithm_choose(const EVP_PKEY *pair, enum token_algorithm *ret_algorithm, char *reason)
{
    switch (EVP_PKEY_get_base_id(pair)) {
    case EVP_PKEY_ED25519:
        *ret_algorithm = TOKEN_EDDSA;
        return 0;
    case EVP_PKEY_EC:
        *ret_algorithm = TOKEN_ES256;
        return curve_check(pair, reason);
    case EVP_PKEY_RSA:
        *ret_algorithm = TOKEN_RS256;
        return rsa_check(pair, reason);
    default:
        snprintf(reason, KEY_REASON_SIZE, "%.40s key, only Ed25519, P-256 and RSA are taken",
                 EVP_PKEY_get0_type_name(pair) == NULL ? "unknown" : EVP_PKEY_get0_type_name(pair));
        return -EINVAL;
    }
}

/* An RSA exponent of 1 or a point off the curve would make forging easy. */
static bool pair_is_sound(EVP_PKEY *pair)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pair, NULL);
    bool sound = ctx != NULL && EVP_PKEY_public_check(ctx) == 1;

    EVP_PKEY_CTX_free(ctx);
    return sound;
}

/* The form libjwt requires, without the private half. */
static bool public_text_set(struct key *key)
{
    BIO *text = BIO_new(BIO_s_mem());
    char *data = NULL;
    bool ok = text != NULL && PEM_write_bio_PUBKEY(text, key->pair) == 1;
    long len = ok ? BIO_get_mem_data(text, &data) : 0;

    ok = ok && len > 0 && material_set(key, data, (size_t)len);
    BIO_free(text);
    return ok;
}

/* Takes the pair. */
static int key_init_pair(struct key *key, EVP_PKEY *pair, bool can_sign, char *reason)
{
    *key = (struct key){.can_sign = can_sign, .pair = pair};

    int failed = algorithm_choose(pair, &key->algorithm, reason);

    if (failed == 0 && !pair_is_sound(pair)) {
        failed = refuse(reason, "key that fails its checks");
    }
    if (failed == 0 && !public_text_set(key)) {
        failed = -ENOMEM;
    }
    if (failed != 0) {
        key_deinit(key);
    }
    return failed;
}

/* The rest behind a key would be ignored unseen. */
static bool bio_holds_more(BIO *text)
{
    char *data;
    long len = BIO_get_mem_data(text, &data);

    return memmem(data, (size_t)len, "-----BEGIN", 10) != NULL;
}

static EVP_PKEY *public_from_block(const char *name, const char *headers, const unsigned char *data,
                                   long len, char *reason)
{
    const unsigned char *end = data;

    if (strstr(name, "PRIVATE KEY") != NULL) {
        refuse(reason, "private key, keep it with the issuer and give the relay the public one");
        return NULL;
    }
    if (strcmp(name, PEM_STRING_PUBLIC) != 0 || *headers != '\0') {
        snprintf(reason, KEY_REASON_SIZE, "PEM block is not a PUBLIC KEY");
        return NULL;
    }
    EVP_PKEY *pair = d2i_PUBKEY(NULL, &end, len);

    if (pair == NULL || end != data + len) {
        refuse(reason, "PUBLIC KEY that cannot be read");
        EVP_PKEY_free(pair);
        return NULL;
    }
    return pair;
}

static EVP_PKEY *public_read(BIO *text, char *reason)
{
    char *name = NULL, *headers = NULL;
    unsigned char *data = NULL;
    long len;
    EVP_PKEY *pair = NULL;

    if (PEM_read_bio(text, &name, &headers, &data, &len) != 1) {
        refuse(reason, "no PEM text");
        return NULL;
    }
    if (bio_holds_more(text)) {
        refuse(reason, "more than one PEM block, one key for each file is taken");
    } else {
        pair = public_from_block(name, headers, data, len, reason);
    }
    OPENSSL_free(name);
    OPENSSL_free(headers);
    OPENSSL_clear_free(data, (size_t)len);
    return pair;
}

/* Never prompts for a password: the program may have no terminal. */
static int password_refuse(char *buf, int size, int writing, void *context)
{
    *(bool *)context = true;
    return -1;
}

static EVP_PKEY *private_read(BIO *text, char *reason)
{
    bool encrypted = false;
    EVP_PKEY *pair = PEM_read_bio_PrivateKey(text, NULL, password_refuse, &encrypted);

    if (pair == NULL) {
        refuse(reason, encrypted ? "private key is encrypted, decrypt it first"
                                 : "no private key in PEM form");
    }
    return pair;
}

static int key_init_pem(struct key *key, struct bytes pem, bool is_private, char *reason)
{
    if (pem.len > INT_MAX) {
        return refuse(reason, "too long");
    }
    *reason = '\0';
    ERR_set_mark();

    BIO *text = BIO_new_mem_buf(pem.data == NULL ? (const void *)"" : pem.data, (int)pem.len);
    EVP_PKEY *pair = text == NULL ? NULL
                     : is_private ? private_read(text, reason)
                                  : public_read(text, reason);
    int failed = pair != NULL   ? key_init_pair(key, pair, is_private, reason)
                 : text == NULL ? -ENOMEM
                                : -EINVAL;

    BIO_free(text);
    ERR_pop_to_mark();
    return failed;
}

int key_init_public(struct key *key, struct bytes pem, char reason[static KEY_REASON_SIZE])
{
    return key_init_pem(key, pem, false, reason);
}

int key_init_private(struct key *key, struct bytes pem, char reason[static KEY_REASON_SIZE])
{
    return key_init_pem(key, pem, true, reason);
}

size_t key_signature_len(const struct key *key)
{
    switch (key->algorithm) {
    case TOKEN_HS256:
    case TOKEN_HS384:
    case TOKEN_HS512:
        return (size_t)EVP_MD_get_size(hmac_digest(key->algorithm));
    case TOKEN_EDDSA:
        return EDDSA_SIGNATURE_BYTES;
    case TOKEN_ES256:
        return ES256_SIGNATURE_BYTES;
    case TOKEN_RS256:
        return (size_t)EVP_PKEY_get_size(key->pair);
    case TOKEN_ALGORITHM_COUNT:
        break;
    }
    UNREACHABLE();
}

static bool hmac_compute(const struct key *key, struct bytes input, uint8_t *ret_signature)
{
    unsigned len = 0;

    return HMAC(hmac_digest(key->algorithm), key->material, (int)key->material_len, input.data,
                input.len, ret_signature, &len) != NULL &&
           len == key_signature_len(key);
}

/* Ed25519 has its own digest inside. */
static const EVP_MD *digest_of(const struct key *key)
{
    return key->algorithm == TOKEN_EDDSA ? NULL : EVP_sha256();
}

/* RFC 7518 §3.4: two numbers of fixed length, where OpenSSL has DER. */
static bool numbers_from_der(const uint8_t *der, size_t der_len, uint8_t *ret_numbers)
{
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
    const BIGNUM *r, *s;

    if (signature == NULL) {
        return false;
    }
    ECDSA_SIG_get0(signature, &r, &s);

    bool ok =
        BN_bn2binpad(r, ret_numbers, ES256_NUMBER_BYTES) == ES256_NUMBER_BYTES &&
        BN_bn2binpad(s, ret_numbers + ES256_NUMBER_BYTES, ES256_NUMBER_BYTES) == ES256_NUMBER_BYTES;

    ECDSA_SIG_free(signature);
    return ok;
}

/* The length, or 0 when memory is out. */
static size_t der_from_numbers(const uint8_t *numbers, uint8_t der[static ES256_DER_BYTES_MAX])
{
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(numbers, ES256_NUMBER_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(numbers + ES256_NUMBER_BYTES, ES256_NUMBER_BYTES, NULL);

    if (signature == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(signature, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(signature);
        return 0;
    }
    int len = i2d_ECDSA_SIG(signature, NULL);

    CHECK(len <= ES256_DER_BYTES_MAX);
    len = i2d_ECDSA_SIG(signature, &der);
    ECDSA_SIG_free(signature);
    return len > 0 ? (size_t)len : 0;
}

static bool pair_sign(const struct key *key, struct bytes input, uint8_t *ret_signature)
{
    uint8_t signature[KEY_SIGNATURE_BYTES_MAX];
    size_t len = sizeof signature;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, digest_of(key), NULL, key->pair) == 1 &&
              EVP_DigestSign(ctx, signature, &len, input.data, input.len) == 1;

    EVP_MD_CTX_free(ctx);
    if (!ok || key->algorithm == TOKEN_ES256) {
        return ok && numbers_from_der(signature, len, ret_signature);
    }
    CHECK(len == key_signature_len(key));
    memcpy(ret_signature, signature, len);
    return true;
}

enum token_result key_sign(const struct key *key, struct bytes input,
                           uint8_t ret_signature[static KEY_SIGNATURE_BYTES_MAX])
{
    CHECK(key->can_sign);

    bool ok = token_algorithm_is_hmac(key->algorithm) ? hmac_compute(key, input, ret_signature)
                                                      : pair_sign(key, input, ret_signature);

    return ok ? TOKEN_OK : TOKEN_NO_MEMORY;
}

static enum token_result hmac_verify(const struct key *key, struct bytes input,
                                     struct bytes signature)
{
    uint8_t expected[KEY_HMAC_BYTES_MAX];

    if (!hmac_compute(key, input, expected)) {
        return TOKEN_NO_MEMORY;
    }
    bool equal = bytes_equal_secret(signature, bytes_of(expected, key_signature_len(key)));

    /* A correct signature that the peer did not know must not stay on the stack. */
    bytes_wipe(expected, sizeof expected);
    return equal ? TOKEN_OK : TOKEN_BAD_SIGNATURE;
}

static enum token_result pair_verify(const struct key *key, struct bytes input,
                                     struct bytes signature)
{
    uint8_t der[ES256_DER_BYTES_MAX];

    if (signature.len != key_signature_len(key)) {
        return TOKEN_BAD_SIGNATURE;
    }
    if (key->algorithm == TOKEN_ES256) {
        signature = bytes_of(der, der_from_numbers(signature.data, der));
        if (signature.len == 0) {
            return TOKEN_NO_MEMORY;
        }
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    if (ctx == NULL || EVP_DigestVerifyInit(ctx, NULL, digest_of(key), NULL, key->pair) != 1) {
        EVP_MD_CTX_free(ctx);
        return TOKEN_NO_MEMORY;
    }
    bool ok = EVP_DigestVerify(ctx, signature.data, signature.len, input.data, input.len) == 1;

    EVP_MD_CTX_free(ctx);
    return ok ? TOKEN_OK : TOKEN_BAD_SIGNATURE;
}

enum token_result key_verify(const struct key *key, struct bytes input, struct bytes signature)
{
    return token_algorithm_is_hmac(key->algorithm) ? hmac_verify(key, input, signature)
                                                   : pair_verify(key, input, signature);
}
