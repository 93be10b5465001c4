/* Key pairs, their PEM texts, and tokens signed by hand in every way, right or wrong. */
#pragma once

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "token_craft.h"

enum { CRAFT_PEM_SIZE = 8192 };

static inline EVP_PKEY *craft_pair(const char *type, const char *group_or_bits)
{
    if (strcmp(type, "RSA") == 0) {
        return EVP_PKEY_Q_keygen(NULL, NULL, type, (size_t)atol(group_or_bits));
    }
    return strcmp(type, "EC") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, type, group_or_bits)
                                   : EVP_PKEY_Q_keygen(NULL, NULL, type);
}

static inline void craft_bio_take(BIO *bio, char pem[static CRAFT_PEM_SIZE])
{
    int len = BIO_read(bio, pem, CRAFT_PEM_SIZE - 1);

    CHECK(len > 0 && len < CRAFT_PEM_SIZE - 1);
    pem[len] = '\0';
    BIO_free(bio);
}

static inline void craft_public_pem(EVP_PKEY *pair, char pem[static CRAFT_PEM_SIZE])
{
    BIO *bio = BIO_new(BIO_s_mem());

    CHECK(PEM_write_bio_PUBKEY(bio, pair) == 1);
    craft_bio_take(bio, pem);
}

/* With a password when one is given. */
static inline void craft_private_pem(EVP_PKEY *pair, const char *password,
                                     char pem[static CRAFT_PEM_SIZE])
{
    BIO *bio = BIO_new(BIO_s_mem());

    CHECK(PEM_write_bio_PKCS8PrivateKey(bio, pair, password == NULL ? NULL : EVP_aes_128_cbc(),
                                        password, password == NULL ? 0 : (int)strlen(password),
                                        NULL, NULL) == 1);
    craft_bio_take(bio, pem);
}

/* OpenSSL's signature of the text with this digest; PSS padding if requested. */
static inline size_t craft_signature(EVP_PKEY *pair, const EVP_MD *digest, bool pss,
                                     const char *text, uint8_t signature[static 1024])
{
    size_t len = 1024;
    EVP_PKEY_CTX *parameters;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    CHECK(EVP_DigestSignInit(ctx, &parameters, digest, NULL, pair) == 1);
    CHECK(!pss || EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1);
    CHECK(EVP_DigestSign(ctx, signature, &len, (const uint8_t *)text, strlen(text)) == 1);
    EVP_MD_CTX_free(ctx);
    return len;
}

/* DER to two numbers of 32 bytes. */
static inline size_t craft_numbers(uint8_t signature[static 1024], size_t len)
{
    const uint8_t *der = signature;
    ECDSA_SIG *numbers = d2i_ECDSA_SIG(NULL, &der, (long)len);

    CHECK(numbers != NULL);
    CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(numbers), signature, 32) == 32);
    CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(numbers), signature + 32, 32) == 32);
    ECDSA_SIG_free(numbers);
    return 64;
}

static inline char *craft_signed_text(const char *header, const char *payload)
{
    return craft_join(craft_base64url(bytes_of_text(header)),
                      craft_base64url(bytes_of_text(payload)));
}

/* Genuine for the pair's own algorithm, whatever the header says. The caller frees. */
static inline char *craft_pair_token(const char *header, const char *payload, EVP_PKEY *pair)
{
    char *text = craft_signed_text(header, payload);
    uint8_t signature[1024];
    bool is_ed25519 = EVP_PKEY_is_a(pair, "ED25519");
    size_t len = craft_signature(pair, is_ed25519 ? NULL : EVP_sha256(), false, text, signature);

    if (EVP_PKEY_is_a(pair, "EC")) {
        len = craft_numbers(signature, len);
    }
    return craft_join(text, craft_base64url(bytes_of(signature, len)));
}
