/* Goal: a key file yields exactly the key meant or a reason; each key makes and takes signatures of
 * one algorithm. Method: pairs of every kind made here, their PEM texts whole, wrapped, broken. */
#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "key_craft.h"
#include "token/key.h"

static const struct {
    const char *type;
    const char *parameter;
    int result;
    enum token_algorithm algorithm;
    const char *reason;
} kinds[] = {
    {"ED25519", "", 0, TOKEN_EDDSA, ""},
    {"EC", "P-256", 0, TOKEN_ES256, ""},
    {"RSA", "2048", 0, TOKEN_RS256, ""},
    {"RSA", "3072", 0, TOKEN_RS256, ""},
    {"RSA", "1024", -EINVAL, 0, "RSA key of 1024 bits, only 2048 to 8192 are taken"},
    {"RSA", "2040", -EINVAL, 0, "RSA key of 2040 bits, only 2048 to 8192 are taken"},
    {"EC", "P-384", -EINVAL, 0, "EC key on curve secp384r1, only P-256 is taken"},
    {"EC", "P-521", -EINVAL, 0, "EC key on curve secp521r1, only P-256 is taken"},
    {"EC", "secp256k1", -EINVAL, 0, "EC key on curve secp256k1, only P-256 is taken"},
    {"ED448", "", -EINVAL, 0, "ED448 key, only Ed25519, P-256 and RSA are taken"},
    {"X25519", "", -EINVAL, 0, "X25519 key, only Ed25519, P-256 and RSA are taken"},
};

Test(key, the_type_decides_the_algorithm_or_is_refused)
{
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        EVP_PKEY *pair = craft_pair(kinds[i].type, kinds[i].parameter);
        char pem[CRAFT_PEM_SIZE];
        char reason[KEY_REASON_SIZE];

        cr_assert_not_null(pair);
        for (int is_private = 0; is_private <= 1; is_private++) {
            struct key key = {0};

            if (is_private) {
                craft_private_pem(pair, NULL, pem);
            } else {
                craft_public_pem(pair, pem);
            }
            int failed = is_private ? key_init_private(&key, bytes_of_text(pem), reason)
                                    : key_init_public(&key, bytes_of_text(pem), reason);

            cr_assert_eq(failed, kinds[i].result, "%s %s: %s", kinds[i].type, kinds[i].parameter,
                         reason);
            cr_expect_str_eq(reason, kinds[i].reason);
            cr_expect(failed != 0 || key.algorithm == kinds[i].algorithm);
            cr_expect(failed != 0 || key.can_sign == is_private);
            cr_expect(failed != 0 || strstr(key.material, "PRIVATE KEY") == NULL);
            key_deinit(&key);
        }
        EVP_PKEY_free(pair);
    }
}

static void expect_reason(const char *pem, const char *reason)
{
    struct key key = {0};
    char text[KEY_REASON_SIZE];

    cr_expect_eq(key_init_public(&key, bytes_of_text(pem), text), -EINVAL, "%s", pem);
    cr_expect_str_eq(text, reason, "%s: %s", pem, text);
    cr_expect_eq(ERR_peek_error(), 0, "an error is left behind");
}

Test(key, refuses_an_rsa_key_for_pss_only)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY *pair = NULL;
    char pem[CRAFT_PEM_SIZE];

    cr_assert_eq(EVP_PKEY_keygen_init(ctx), 1);
    cr_assert_eq(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048), 1);
    cr_assert_eq(EVP_PKEY_generate(ctx, &pair), 1);
    craft_public_pem(pair, pem);
    expect_reason(pem, "RSA-PSS key, only Ed25519, P-256 and RSA are taken");
    EVP_PKEY_free(pair);
    EVP_PKEY_CTX_free(ctx);
}

/* CVE-2020-0601: the same point under parameters of the forger's own. */
Test(key, refuses_a_curve_that_is_spelt_out)
{
    EVP_PKEY *pair = craft_pair("EC", "P-256");
    char pem[CRAFT_PEM_SIZE];

    cr_assert_eq(EVP_PKEY_set_utf8_string_param(pair, OSSL_PKEY_PARAM_EC_ENCODING,
                                                OSSL_PKEY_EC_ENCODING_EXPLICIT),
                 1);
    craft_public_pem(pair, pem);
    expect_reason(pem, "EC key that spells out its curve instead of naming it");
    EVP_PKEY_free(pair);
}

static EVP_PKEY *rsa_with_exponent(const BIGNUM *n, unsigned long exponent)
{
    BIGNUM *e = BN_new();
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *pair = NULL;

    cr_assert_eq(BN_set_word(e, exponent), 1);
    cr_assert_eq(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n), 1);
    cr_assert_eq(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e), 1);
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);

    cr_assert_eq(EVP_PKEY_fromdata_init(ctx), 1);
    cr_assert_eq(EVP_PKEY_fromdata(ctx, &pair, EVP_PKEY_PUBLIC_KEY, parameters), 1);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX_free(ctx);
    BN_free(e);
    return pair;
}

/* With the exponent 1 every text is its own signature. */
Test(key, refuses_rsa_exponents_that_anybody_can_sign_with)
{
    EVP_PKEY *pair = craft_pair("RSA", "2048");
    BIGNUM *n = NULL;

    cr_assert_eq(EVP_PKEY_get_bn_param(pair, OSSL_PKEY_PARAM_RSA_N, &n), 1);
    for (unsigned long exponent = 1; exponent <= 2; exponent++) {
        EVP_PKEY *weak = rsa_with_exponent(n, exponent);
        char pem[CRAFT_PEM_SIZE];

        craft_public_pem(weak, pem);
        expect_reason(pem, "key that fails its checks");
        EVP_PKEY_free(weak);
    }
    BN_free(n);
    EVP_PKEY_free(pair);
}

Test(key, refuses_what_is_not_one_public_key)
{
    EVP_PKEY *pair = craft_pair("ED25519", "");
    char pem[CRAFT_PEM_SIZE], twice[2 * CRAFT_PEM_SIZE];

    craft_private_pem(pair, NULL, pem);
    expect_reason(pem, "private key, keep it with the issuer and give the relay the public one");
    craft_private_pem(pair, "password", pem);
    expect_reason(pem, "private key, keep it with the issuer and give the relay the public one");
    craft_public_pem(pair, pem);
    snprintf(twice, sizeof twice, "%s%s", pem, pem);
    expect_reason(twice, "more than one PEM block, one key for each file is taken");
    snprintf(twice, sizeof twice, "%s-----BEGIN", pem);
    expect_reason(twice, "more than one PEM block, one key for each file is taken");
    expect_reason("", "no PEM text");
    expect_reason("secret", "no PEM text");
    expect_reason("-----BEGIN PUBLIC KEY-----\n", "no PEM text");
    expect_reason("-----BEGIN PUBLIC KEY-----\n????\n-----END PUBLIC KEY-----\n", "no PEM text");
    expect_reason("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
                  "PUBLIC KEY that cannot be read");
    expect_reason("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END CERTIFICATE-----\n", "no PEM text");
    expect_reason("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                  "PEM block is not a PUBLIC KEY");
    EVP_PKEY_free(pair);
}

Test(key, every_cut_or_changed_pem_text_is_refused_or_another_key)
{
    static const char *const types[][2] = {{"ED25519", ""}, {"EC", "P-256"}};

    for (size_t t = 0; t < ARRAY_LENGTH(types); t++) {
        EVP_PKEY *pair = craft_pair(types[t][0], types[t][1]);
        char pem[CRAFT_PEM_SIZE], changed[CRAFT_PEM_SIZE];
        char reason[KEY_REASON_SIZE];

        craft_public_pem(pair, pem);
        size_t len = strlen(pem);
        unsigned same = 0;

        for (size_t i = 0; i < len; i++) {
            struct key key = {0};

            memcpy(changed, pem, len + 1);
            changed[i] = changed[i] == 'A' ? 'B' : 'A';
            if (key_init_public(&key, bytes_of_text(changed), reason) == 0) {
                same += strcmp(key.material, pem) == 0;
                key_deinit(&key);
            }
            if (i < len - 1) { /* the last newline may be missing */
                cr_expect_eq(key_init_public(&key, bytes_of(pem, i), reason), -EINVAL, "%zu", i);
            }
        }
        /* Unused bits: of the base64 text, and as counted by the head of the bit string. */
        cr_expect_leq(same, 2);
        EVP_PKEY_free(pair);
    }
}

Test(key, private_keys_come_in_the_old_forms_too)
{
    EVP_PKEY *pairs[] = {craft_pair("EC", "P-256"), craft_pair("RSA", "2048")};

    for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
        BIO *bio = BIO_new(BIO_s_mem());
        char pem[CRAFT_PEM_SIZE], reason[KEY_REASON_SIZE];
        struct key key = {0};

        cr_assert_eq(PEM_write_bio_PrivateKey_traditional(bio, pairs[i], NULL, NULL, 0, NULL, NULL),
                     1);
        craft_bio_take(bio, pem);
        cr_expect_eq(key_init_private(&key, bytes_of_text(pem), reason), 0, "%s", reason);
        key_deinit(&key);
        EVP_PKEY_free(pairs[i]);
    }
}

Test(key, private_keys_that_cannot_be_used_have_a_reason)
{
    EVP_PKEY *pair = craft_pair("ED25519", "");
    char pem[CRAFT_PEM_SIZE], reason[KEY_REASON_SIZE];
    struct key key = {0};

    craft_private_pem(pair, "password", pem);
    cr_expect_eq(key_init_private(&key, bytes_of_text(pem), reason), -EINVAL);
    cr_expect_str_eq(reason, "private key is encrypted, decrypt it first");
    craft_public_pem(pair, pem);
    cr_expect_eq(key_init_private(&key, bytes_of_text(pem), reason), -EINVAL);
    cr_expect_str_eq(reason, "no private key in PEM form");
    cr_expect_eq(key_init_private(&key, bytes_of(NULL, 0), reason), -EINVAL);
    cr_expect_eq(ERR_peek_error(), 0);
    EVP_PKEY_free(pair);
}

/* Many rounds, since one ECDSA number in 256 begins with a zero byte. */
Test(key, signatures_have_one_length_and_verify)
{
    static const char *const types[][2] = {{"ED25519", ""}, {"EC", "P-256"}, {"RSA", "2048"}};
    static const size_t lens[] = {64, 64, 256};

    for (size_t t = 0; t < ARRAY_LENGTH(types); t++) {
        EVP_PKEY *pair = craft_pair(types[t][0], types[t][1]);
        char pem[CRAFT_PEM_SIZE], reason[KEY_REASON_SIZE];
        uint8_t signature[KEY_SIGNATURE_BYTES_MAX];
        struct key key;

        craft_private_pem(pair, NULL, pem);
        cr_assert_eq(key_init_private(&key, bytes_of_text(pem), reason), 0);
        cr_assert_eq(key_signature_len(&key), lens[t]);
        for (unsigned i = 0; i < (key.algorithm == TOKEN_ES256 ? 1000 : 10); i++) {
            struct bytes input = bytes_of(&i, sizeof i);

            cr_assert_eq(key_sign(&key, input, signature), TOKEN_OK);
            cr_assert_eq(key_verify(&key, input, bytes_of(signature, lens[t])), TOKEN_OK);
            signature[i % lens[t]] ^= 1;
            cr_assert_eq(key_verify(&key, input, bytes_of(signature, lens[t])),
                         TOKEN_BAD_SIGNATURE);
        }
        for (size_t len = 0; len < lens[t]; len++) {
            cr_expect_eq(key_verify(&key, bytes_of_text("x"), bytes_of(signature, len)),
                         TOKEN_BAD_SIGNATURE);
        }
        key_deinit(&key);
        EVP_PKEY_free(pair);
    }
}

/* CVE-2022-21449: zeros, and numbers that are no smaller than the order of the curve. */
Test(key, numbers_out_of_range_sign_nothing)
{
    static const uint8_t fillings[] = {0x00, 0xff};
    EVP_PKEY *pair = craft_pair("EC", "P-256");
    char pem[CRAFT_PEM_SIZE], reason[KEY_REASON_SIZE];
    struct key key;

    craft_public_pem(pair, pem);
    cr_assert_eq(key_init_public(&key, bytes_of_text(pem), reason), 0);
    for (size_t i = 0; i < 4; i++) {
        uint8_t signature[64];

        memset(signature, fillings[i & 1], 32);
        memset(signature + 32, fillings[i >> 1], 32);
        cr_expect_eq(key_verify(&key, bytes_of_text("x"), bytes_of(signature, 64)),
                     TOKEN_BAD_SIGNATURE);
    }
    key_deinit(&key);
    EVP_PKEY_free(pair);
}

Test(key, ids_are_printable_ascii_without_blanks)
{
    static const char *const right[] = {"a", "2024-01", "~!\"\\{}", "a/b"};
    static const char *const wrong[] = {"", " ", "a b", "a\t", "\x01", "\x7f", "\xc3\xa9", "a\n"};
    char longest[TOKEN_KEY_ID_SIZE + 1];

    for (size_t i = 0; i < ARRAY_LENGTH(right); i++) {
        cr_expect(key_id_is_valid(bytes_of_text(right[i])), "%s", right[i]);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        cr_expect_not(key_id_is_valid(bytes_of_text(wrong[i])), "%s", wrong[i]);
    }
    memset(longest, 'a', sizeof longest);
    cr_expect(key_id_is_valid(bytes_of(longest, TOKEN_KEY_ID_SIZE - 1)));
    cr_expect_not(key_id_is_valid(bytes_of(longest, TOKEN_KEY_ID_SIZE)));
}
