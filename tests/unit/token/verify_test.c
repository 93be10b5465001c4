/* Goal: no token passes that the holder of the secret did not make for this moment, and every
 * reason for refusing is told apart. Method: tokens crafted by hand, in tables. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <pthread.h>

#include "token/token.h"
#include "token_craft.h"

#define SECRET  "a shared secret of some length.."
#define HEADER  "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define PAYLOAD "{\"topic\":\"t\",\"exp\":1000,\"nbf\":900,\"iat\":900}"

enum { NOW_S = 950 };

static enum token_result verify_with(const char *secret, const char *text, int64_t now_s)
{
    struct token_keys *keys = token_keys_create(secret);
    struct token_claims claims = {.exp_s = 42};
    enum token_result result = token_verify(keys, bytes_of_text(text), now_s, &claims);

    bool is_genuine = result == TOKEN_OK || result == TOKEN_EXPIRED || result == TOKEN_TOO_EARLY;

    cr_expect_eq(claims.exp_s == 42, !is_genuine, "claims and result disagree");
    token_keys_destroy(keys);
    return result;
}

static enum token_result verify_crafted(const char *header, const char *payload, int64_t now_s)
{
    char *text = craft_token(header, payload, SECRET);
    enum token_result result = verify_with(SECRET, text, now_s);

    free(text);
    return result;
}

Test(verify, accepts_the_plain_case)
{
    cr_expect_eq(verify_crafted(HEADER, PAYLOAD, NOW_S), TOKEN_OK);
}

Test(verify, header_forms)
{
    static const struct {
        const char *header;
        enum token_result result;
    } table[] = {
        {"{\"alg\":\"HS256\"}", TOKEN_OK},
        {"{\"typ\":\"jwt\",\"alg\":\"HS256\"}", TOKEN_OK},
        {"{\"alg\":\"HS256\",\"typ\":null,\"kid\":\"1\",\"x\":[1]}", TOKEN_OK},
        {" {\n\"alg\" : \"HS256\" } ", TOKEN_OK},
        {"{\"alg\":\"none\"}", TOKEN_BAD_ALGORITHM},
        {"{\"alg\":\"None\"}", TOKEN_BAD_ALGORITHM},
        {"{\"alg\":\"NONE\"}", TOKEN_BAD_ALGORITHM},
        {"{\"alg\":\"\"}", TOKEN_BAD_ALGORITHM},
        {"{\"alg\":\"hs256\"}", TOKEN_BAD_ALGORITHM},
        {"{\"alg\":\"Hs256\"}", TOKEN_BAD_ALGORITHM},
        {"{\"alg\":\"HS256 \"}", TOKEN_BAD_ALGORITHM},
        {"{\"alg\":\" HS256\"}", TOKEN_BAD_ALGORITHM},
        {"{\"alg\":\"HS2560\"}", TOKEN_BAD_ALGORITHM},
        {"{\"alg\":\"HS25\"}", TOKEN_BAD_ALGORITHM},
        {"{\"alg\":\"HS384\"}", TOKEN_BAD_ALGORITHM},
        {"{\"alg\":\"HS512\"}", TOKEN_BAD_ALGORITHM},
        {"{\"alg\":\"RS256\"}", TOKEN_BAD_ALGORITHM},
        {"{\"alg\":\"PS256\"}", TOKEN_BAD_ALGORITHM},
        {"{\"alg\":\"ES256\"}", TOKEN_BAD_ALGORITHM},
        {"{\"alg\":\"EdDSA\"}", TOKEN_BAD_ALGORITHM},
        {"{\"alg\":\"made up\"}", TOKEN_BAD_ALGORITHM},
        {"{\"alg\":\"HS256\\u0000\"}", TOKEN_MALFORMED},
        {"{\"alg\":\"none\",\"alg\":\"HS256\"}", TOKEN_MALFORMED},
        {"{\"alg\":\"HS256\",\"alg\":\"none\"}", TOKEN_MALFORMED},
        {"{\"ALG\":\"HS256\"}", TOKEN_MALFORMED},
        {"{\"alg\":null}", TOKEN_MALFORMED},
        {"{\"alg\":256}", TOKEN_MALFORMED},
        {"{\"alg\":[\"HS256\"]}", TOKEN_MALFORMED},
        {"{}", TOKEN_MALFORMED},
        {"\"HS256\"", TOKEN_MALFORMED},
        {"not json", TOKEN_MALFORMED},
        /* RFC 7519 §5.1, RFC 9068 §2.1, RFC 8725 §3.11: typ is the application's; we ignore it. */
        {"{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", TOKEN_OK},
        {"{\"alg\":\"HS256\",\"typ\":\"application/jwt\"}", TOKEN_OK},
        {"{\"alg\":\"HS256\",\"typ\":\"\"}", TOKEN_OK},
        {"{\"alg\":\"HS256\",\"typ\":\"JWE\"}", TOKEN_OK},
        {"{\"alg\":\"HS256\",\"typ\":1}", TOKEN_OK},
        {"{\"alg\":\"none\",\"typ\":\"at+jwt\"}", TOKEN_BAD_ALGORITHM},
        {"{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", TOKEN_MALFORMED},
        {"{\"alg\":\"HS256\",\"crit\":null}", TOKEN_MALFORMED},
        {"{\"alg\":\"HS256\",\"x\":[[[[[[[[]]]]]]]]}", TOKEN_MALFORMED},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        cr_expect_eq(verify_crafted(table[i].header, PAYLOAD, NOW_S), table[i].result, "%s",
                     table[i].header);
    }
}

Test(verify, refuses_other_digests_that_are_rightly_computed)
{
    static const struct {
        const char *header;
        const EVP_MD *(*digest)(void);
        enum token_result result;
    } table[] = {
        {"{\"alg\":\"HS384\"}", EVP_sha384, TOKEN_BAD_ALGORITHM},
        {"{\"alg\":\"HS512\"}", EVP_sha512, TOKEN_BAD_ALGORITHM},
        {HEADER, EVP_sha384, TOKEN_BAD_SIGNATURE},
        {HEADER, EVP_sha512, TOKEN_BAD_SIGNATURE},
        {HEADER, EVP_sha1, TOKEN_BAD_SIGNATURE},
        {HEADER, EVP_sha256, TOKEN_OK},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        char *text = craft_token_bytes(bytes_of_text(table[i].header), bytes_of_text(PAYLOAD),
                                       SECRET, table[i].digest());

        cr_expect_eq(verify_with(SECRET, text, NOW_S), table[i].result, "%zu", i);
        free(text);
    }
}

Test(verify, refuses_unsigned_tokens)
{
    static const char *const headers[] = {"{\"alg\":\"none\"}", "{\"alg\":\"HS256\"}"};

    for (size_t i = 0; i < ARRAY_LENGTH(headers); i++) {
        char *text = craft_join(craft_base64url(bytes_of_text(headers[i])),
                                craft_base64url(bytes_of_text(PAYLOAD)));

        cr_expect_eq(verify_with(SECRET, text, NOW_S), TOKEN_MALFORMED, "two parts");
        text = craft_join(text, strdup(""));
        cr_expect_eq(verify_with(SECRET, text, NOW_S),
                     i == 0 ? TOKEN_BAD_ALGORITHM : TOKEN_BAD_SIGNATURE, "empty signature");
        free(text);
    }
}

/* header.payload and a real RSA signature; *ret_public_pem is what a confused server might hold. */
static char *craft_rsa_token(char ret_public_pem[static 1024])
{
    EVP_PKEY *pair = EVP_RSA_gen(2048);
    BIO *pem = BIO_new(BIO_s_mem());
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t signature[256];
    size_t signature_len = sizeof signature;
    char *input = craft_join(craft_base64url(bytes_of_text("{\"alg\":\"RS256\"}")),
                             craft_base64url(bytes_of_text(PAYLOAD)));

    cr_assert_eq(PEM_write_bio_PUBKEY(pem, pair), 1);
    int len = BIO_read(pem, ret_public_pem, 1023);

    cr_assert_gt(len, 0);
    ret_public_pem[len] = '\0';
    cr_assert_eq(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pair), 1);
    cr_assert_eq(
        EVP_DigestSign(ctx, signature, &signature_len, (const uint8_t *)input, strlen(input)), 1);
    EVP_MD_CTX_free(ctx);
    BIO_free(pem);
    EVP_PKEY_free(pair);
    return craft_join(input, craft_base64url(bytes_of(signature, signature_len)));
}

/* libjwt alone accepts this one: it lets the token choose how the key is used. */
Test(verify, refuses_a_genuine_rsa_signature_even_when_the_secret_is_its_public_key)
{
    char public_pem[1024];
    char *text = craft_rsa_token(public_pem);

    cr_expect_eq(verify_with(public_pem, text, NOW_S), TOKEN_BAD_ALGORITHM);
    free(text);
    text = craft_token("{\"alg\":\"RS256\"}", PAYLOAD, public_pem);
    cr_expect_eq(verify_with(public_pem, text, NOW_S), TOKEN_BAD_ALGORITHM);
    free(text);
}

Test(verify, signatures_have_one_length_and_one_spelling)
{
    char *text = craft_token(HEADER, PAYLOAD, SECRET);
    size_t len = strlen(text);
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char changed[512];

    cr_expect_eq(verify_with(SECRET, text, NOW_S), TOKEN_OK);
    for (size_t i = 0; i < 64; i++) {
        memcpy(changed, text, len + 1);
        changed[len - 1] = digits[i];
        cr_expect_eq(verify_with(SECRET, changed, NOW_S) == TOKEN_OK, digits[i] == text[len - 1]);
    }
    for (size_t cut = 1; cut <= 43; cut++) {
        snprintf(changed, sizeof changed, "%.*s", (int)(len - cut), text);
        cr_expect_neq(verify_with(SECRET, changed, NOW_S), TOKEN_OK, "cut by %zu", cut);
    }
    snprintf(changed, sizeof changed, "%sAAAA", text);
    cr_expect_eq(verify_with(SECRET, changed, NOW_S), TOKEN_BAD_SIGNATURE);
    snprintf(changed, sizeof changed, "%s=", text);
    cr_expect_eq(verify_with(SECRET, changed, NOW_S), TOKEN_MALFORMED);
    snprintf(changed, sizeof changed, "%s.", text);
    cr_expect_eq(verify_with(SECRET, changed, NOW_S), TOKEN_MALFORMED);
    snprintf(changed, sizeof changed, "%s ", text);
    cr_expect_eq(verify_with(SECRET, changed, NOW_S), TOKEN_MALFORMED);
    snprintf(changed, sizeof changed, "Bearer %s", text);
    cr_expect_eq(verify_with(SECRET, changed, NOW_S), TOKEN_MALFORMED);
    free(text);
}

Test(verify, refuses_forms_that_are_no_token)
{
    static const char *const texts[] = {
        "",
        ".",
        "..",
        "...",
        "a",
        "a.b",
        "a..",
        ".b.",
        "..c",
        "a..c",
        ".b.c",
        "a.b.c",
        "e30.e30.e30",
        "e30.e30.",
        "\xff.\xff.\xff",
        "{}.{}.{}",
        "eyJhbGciOiJIUzI1NiJ9",
        "eyJhbGciOiJIUzI1NiJ9.",
        "eyJhbGciOiJIUzI1NiJ9..",
        "eyJhbGciOiJIUzI1NiJ9=.e30.e30",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        cr_expect_eq(verify_with(SECRET, texts[i], NOW_S), TOKEN_MALFORMED, "%s", texts[i]);
    }
}

Test(verify, refuses_a_nul_in_the_token)
{
    struct token_keys *keys = token_keys_create(SECRET);
    char *text = craft_token(HEADER, PAYLOAD, SECRET);
    size_t len = strlen(text);
    struct token_claims claims;

    /* The terminator itself, counted in, must not be taken for the end. */
    cr_expect_eq(token_verify(keys, bytes_of(text, len + 1), NOW_S, &claims), TOKEN_MALFORMED);
    cr_expect_eq(token_verify(keys, bytes_of(text, len), NOW_S, &claims), TOKEN_OK);
    cr_expect_eq(token_verify(keys, bytes_of(NULL, 0), NOW_S, &claims), TOKEN_MALFORMED);
    free(text);
    token_keys_destroy(keys);
}

Test(verify, an_unsigned_payload_is_never_read)
{
    /* Garbage and overlong claims behind a wrong signature: the signature is the reason told. */
    static const char *const payloads[] = {"garbage", "{\"exp\":\"x\"}", "[[[[[[[[[[", "{}"};

    for (size_t i = 0; i < ARRAY_LENGTH(payloads); i++) {
        char *text = craft_token(HEADER, payloads[i], "another secret");

        cr_expect_eq(verify_with(SECRET, text, NOW_S), TOKEN_BAD_SIGNATURE, "%s", payloads[i]);
        free(text);
    }
    cr_expect_eq(verify_crafted(HEADER, "garbage", NOW_S), TOKEN_MALFORMED);
    cr_expect_eq(verify_crafted(HEADER, "{}", NOW_S), TOKEN_INCOMPLETE);
}

Test(verify, times_at_their_boundaries)
{
    static const struct {
        int64_t exp_s, nbf_s, iat_s;
        enum token_result result;
    } table[] = {
        {NOW_S + 1, NOW_S, NOW_S, TOKEN_OK},
        {NOW_S, NOW_S, NOW_S, TOKEN_EXPIRED},
        {NOW_S - 1, NOW_S, NOW_S, TOKEN_EXPIRED},
        {0, 0, 0, TOKEN_EXPIRED},
        {-5, -5, -5, TOKEN_EXPIRED},
        {NOW_S + 99, NOW_S + 30, NOW_S, TOKEN_OK},
        {NOW_S + 99, NOW_S + 31, NOW_S, TOKEN_TOO_EARLY},
        {NOW_S + 99, NOW_S, NOW_S + 30, TOKEN_OK},
        {NOW_S + 99, NOW_S, NOW_S + 31, TOKEN_TOO_EARLY},
        {NOW_S, NOW_S + 31, NOW_S + 31, TOKEN_EXPIRED},
        {INT64_C(1) << 53, -(INT64_C(1) << 53), -(INT64_C(1) << 53), TOKEN_OK},
        {INT64_C(1) << 53, INT64_C(1) << 53, 0, TOKEN_TOO_EARLY},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        char payload[160];

        snprintf(payload, sizeof payload, "{\"exp\":%lld,\"nbf\":%lld,\"iat\":%lld}",
                 (long long)table[i].exp_s, (long long)table[i].nbf_s, (long long)table[i].iat_s);
        cr_expect_eq(verify_crafted(HEADER, payload, NOW_S), table[i].result, "%s", payload);
    }
    cr_expect_eq(verify_crafted(HEADER, "{\"exp\":950.9,\"nbf\":0,\"iat\":0}", NOW_S),
                 TOKEN_EXPIRED);
    cr_expect_eq(verify_crafted(HEADER, "{\"exp\":951.1,\"nbf\":980.9,\"iat\":0}", NOW_S),
                 TOKEN_OK);
    cr_expect_eq(verify_crafted(HEADER, PAYLOAD, 999), TOKEN_OK);
    cr_expect_eq(verify_crafted(HEADER, PAYLOAD, 1000), TOKEN_EXPIRED);
    cr_expect_eq(verify_crafted(HEADER, PAYLOAD, INT64_MAX), TOKEN_EXPIRED);
    cr_expect_eq(verify_crafted(HEADER, PAYLOAD, INT64_MIN), TOKEN_TOO_EARLY);
}

Test(verify, whose_token_it_was_is_known_when_the_signature_is_genuine)
{
    struct token_keys *keys = token_keys_create(SECRET);
    struct token_keys *others = token_keys_create("another secret");
    struct token_claims claims = {.topic = "untouched"};
    char *text = craft_token(HEADER, "{\"topic\":\"t0\",\"exp\":5,\"nbf\":0,\"iat\":0}", SECRET);

    cr_expect_eq(token_verify(others, bytes_of_text(text), NOW_S, &claims), TOKEN_BAD_SIGNATURE);
    cr_expect_str_eq(claims.topic, "untouched");
    cr_expect_eq(token_verify(keys, bytes_of_text(text), NOW_S, &claims), TOKEN_EXPIRED);
    cr_expect_str_eq(claims.topic, "t0");
    free(text);
    token_keys_destroy(keys);
    token_keys_destroy(others);
}

/* A valid token of exactly this length, filled up with a claim nobody knows. */
static char *craft_token_of_length(size_t len)
{
    size_t payload_part_len = len - base64url_encoded_len(strlen(HEADER)) - 1 - 1 - 43;
    size_t payload_len = payload_part_len / 4 * 3 + payload_part_len % 4 * 3 / 4;
    char *payload = malloc(payload_len + 1);
    int head_len =
        snprintf(payload, payload_len + 1, "{\"exp\":1000,\"nbf\":900,\"iat\":900,\"x\":\"");

    memset(payload + head_len, 'a', payload_len - (size_t)head_len);
    memcpy(payload + payload_len - 2, "\"}", 3);
    char *text = craft_token(HEADER, payload, SECRET);

    free(payload);
    cr_assert_eq(strlen(text), len);
    return text;
}

Test(verify, tokens_have_a_limit_of_length)
{
    char *longest = craft_token_of_length(TOKEN_BYTES_MAX);
    char *too_long = craft_token_of_length(TOKEN_BYTES_MAX + 1);

    cr_expect_eq(verify_with(SECRET, longest, NOW_S), TOKEN_OK);
    cr_expect_eq(verify_with(SECRET, too_long, NOW_S), TOKEN_TOO_LONG);
    free(longest);
    free(too_long);
}

Test(verify, keys_need_a_secret)
{
    char *text = craft_token(HEADER, PAYLOAD, "x");

    cr_expect_null(token_keys_create(""));
    cr_expect_eq(verify_with("x", text, NOW_S), TOKEN_OK);
    token_keys_destroy(NULL);
    free(text);
}

Test(verify, every_result_has_its_text)
{
    for (int i = 0; i < TOKEN_RESULT_COUNT; i++) {
        cr_assert_not_null(token_result_text((enum token_result)i));
        for (int k = 0; k < i; k++) {
            cr_expect_str_neq(token_result_text((enum token_result)i),
                              token_result_text((enum token_result)k));
        }
    }
}

static int allocations_left;

static void *failing_malloc(size_t size)
{
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

/* Whichever allocation fails, nothing is accepted, crashes or leaks. */
Test(verify, refuses_when_memory_runs_out)
{
    struct token_keys *keys = token_keys_create(SECRET);
    char *text = craft_token(HEADER, PAYLOAD, SECRET);
    struct token_claims claims = {.exp_s = 42};
    enum token_result result = TOKEN_NO_MEMORY;
    int allocations = 0;

    json_set_alloc_funcs(failing_malloc, free);
    allocations_left = 0;
    cr_expect_eq(token_verify(keys, bytes_of_text(text), NOW_S, &claims), TOKEN_NO_MEMORY);
    for (; result != TOKEN_OK && allocations < 1000; allocations++) {
        cr_expect_eq(claims.exp_s, 42);
        allocations_left = allocations;
        result = token_verify(keys, bytes_of_text(text), NOW_S, &claims);
        cr_expect(allocations_left >= 0 || result != TOKEN_OK, "after %d", allocations);
    }
    json_set_alloc_funcs(malloc, free);
    cr_expect_eq(result, TOKEN_OK);
    cr_expect_gt(allocations, 10);
    free(text);
    token_keys_destroy(keys);
}

struct verifier {
    const struct token_keys *keys;
    const char *text;
    unsigned accepted;
};

static void *verifier_run(void *argument)
{
    struct verifier *verifier = argument;

    for (int i = 0; i < 200; i++) {
        struct token_claims claims;

        verifier->accepted +=
            token_verify(verifier->keys, bytes_of_text(verifier->text), NOW_S, &claims) == TOKEN_OK;
    }
    return NULL;
}

Test(verify, threads_share_the_keys)
{
    struct token_keys *keys = token_keys_create(SECRET);
    char *text = craft_token(HEADER, PAYLOAD, SECRET);
    struct verifier verifiers[4];
    pthread_t threads[4];

    for (int i = 0; i < 4; i++) {
        verifiers[i] = (struct verifier){.keys = keys, .text = text};
        cr_assert_eq(pthread_create(&threads[i], NULL, verifier_run, &verifiers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        cr_expect_eq(verifiers[i].accepted, 200);
    }
    free(text);
    token_keys_destroy(keys);
}
