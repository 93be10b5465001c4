/* Goal: the operator's files become exactly the keys meant or one line of reason; several secrets
 * serve at once; no key ever answers for another algorithm. Method: tables of files, and the full
 * matrix of what the header says, what key there is and how the token was signed. */
#include <criterion/criterion.h>
#include <openssl/err.h>
#include <sys/stat.h>
#include <unistd.h>

#include "key_craft.h"
#include "token/key_sources.h"
#include "token/token.h"

#define PAYLOAD "{\"exp\":1000,\"nbf\":900,\"iat\":900}"

enum { NOW_S = 950, PATH_SIZE = 512 };

static char folder[] = "/tmp/relay-keys-test-XXXXXX";

static void start(void)
{
    cr_assert_not_null(mkdtemp(folder));
}

static void stop(void)
{
    char command[PATH_SIZE];

    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(key_sources, .init = start, .fini = stop);

/* Returns the path, in a static buffer of its own for each of the last eight calls. */
static const char *file_write(const char *name, const char *text)
{
    static char paths[8][PATH_SIZE];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, PATH_SIZE, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");

    cr_assert_not_null(file, "%s", path);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
    return path;
}

static struct token_keys *load_secrets(const char *text, char *error)
{
    struct key_sources sources = {.secrets_file = file_write("secrets", text)};

    return key_sources_load(&sources, error);
}

static enum token_result verify(const struct token_keys *keys, const char *text)
{
    struct token_claims claims;

    return token_verify(keys, bytes_of_text(text), NOW_S, &claims);
}

static enum token_result verify_hmac(const struct token_keys *keys, const char *header,
                                     const char *secret)
{
    char *text = craft_token(header, PAYLOAD, secret);
    enum token_result result = verify(keys, text);

    free(text);
    return result;
}

#define PLAIN    "{\"alg\":\"HS256\"}"
#define KID(kid) "{\"alg\":\"HS256\",\"kid\":\"" kid "\"}"

Test(key_sources, rotation_takes_old_and_new_secrets)
{
    char error[TOKEN_KEYS_ERROR_SIZE] = "";
    struct token_keys *keys =
        load_secrets("# old and new\n\nold one\r\n  new\ttwo  \nbare#3\n  # \nlast", error);
    static const struct {
        const char *header;
        const char *secret;
        enum token_result result;
    } table[] = {
        {PLAIN, "one", TOKEN_OK},
        {PLAIN, "two", TOKEN_OK},
        {PLAIN, "bare#3", TOKEN_OK},
        {PLAIN, "last", TOKEN_OK},
        {PLAIN, "old", TOKEN_BAD_SIGNATURE},
        {PLAIN, "old one", TOKEN_BAD_SIGNATURE},
        {PLAIN, "# old and new", TOKEN_BAD_SIGNATURE},
        {PLAIN, "bare", TOKEN_BAD_SIGNATURE},
        {KID("old"), "one", TOKEN_OK},
        {KID("new"), "two", TOKEN_OK},
        /* a kid that a key has is that key only */
        {KID("old"), "two", TOKEN_BAD_SIGNATURE},
        {KID("old"), "last", TOKEN_BAD_SIGNATURE},
        /* a kid that no key has leaves the keys without a name */
        {KID("other"), "last", TOKEN_OK},
        {KID("other"), "bare#3", TOKEN_OK},
        {KID("other"), "one", TOKEN_BAD_SIGNATURE},
        {KID(""), "one", TOKEN_BAD_SIGNATURE},
        {KID(""), "last", TOKEN_OK},
        {KID("OLD"), "one", TOKEN_BAD_SIGNATURE},
        {KID("old "), "one", TOKEN_BAD_SIGNATURE},
        {"{\"alg\":\"HS256\",\"kid\":null}", "one", TOKEN_OK},
        {"{\"alg\":\"HS256\",\"kid\":1}", "one", TOKEN_MALFORMED},
        {"{\"alg\":\"HS256\",\"kid\":[\"old\"]}", "one", TOKEN_MALFORMED},
        {"{\"alg\":\"HS256\",\"kid\":\"old\",\"kid\":\"new\"}", "one", TOKEN_MALFORMED},
        {"{\"alg\":\"HS256\",\"kid\":\"old\\u0000\"}", "one", TOKEN_MALFORMED},
    };

    cr_assert_not_null(keys, "%s", error);
    cr_expect_eq(token_keys_count(keys), 4);
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        cr_expect_eq(verify_hmac(keys, table[i].header, table[i].secret), table[i].result, "%s %s",
                     table[i].header, table[i].secret);
    }
    token_keys_unref(keys);
}

Test(key_sources, a_kid_without_any_nameless_key_must_be_known)
{
    char error[TOKEN_KEYS_ERROR_SIZE] = "";
    struct token_keys *keys = load_secrets("a one\nb two\n", error);
    char header[256] = "{\"alg\":\"HS256\",\"kid\":\"";
    size_t len = strlen(header);

    cr_assert_not_null(keys, "%s", error);
    cr_expect_eq(verify_hmac(keys, KID("c"), "one"), TOKEN_UNKNOWN_KEY);
    cr_expect_eq(verify_hmac(keys, KID(""), "one"), TOKEN_UNKNOWN_KEY);
    cr_expect_eq(verify_hmac(keys, KID("b"), "two"), TOKEN_OK);
    /* longer than any name of a key, and beginning like one */
    memset(header + len, 'a', 100);
    snprintf(header + len + 100, sizeof header - len - 100, "\"}");
    cr_expect_eq(verify_hmac(keys, header, "one"), TOKEN_UNKNOWN_KEY);
    token_keys_unref(keys);
}

Test(key_sources, secrets_files_are_read_whole_or_not_at_all)
{
    static const struct {
        const char *text;
        const char *reason; /* behind the file's name */
    } table[] = {
        {"a b c\n", ":1: more than a kid and a secret, neither may hold blanks"},
        {"good\n\n# \na b # no comment here\n",
         ":4: more than a kid and a secret, neither may hold blanks"},
        {"a one\na two\n", ":2: the key a is already in "},
        {"\xc3\xa9 one\n", ":1: the kid is too long or not printable ASCII"},
        {"\xef\xbb\xbfsecret\n", ":1: control character or byte order mark"},
        {"\xef\xbb\xbfkid secret\n", ":1: the kid is too long or not printable ASCII"},
        {"one\ntwo\x01\n", ":2: control character or byte order mark"},
        {"one\x0btwo\n", ":1: control character or byte order mark"},
        {"1234567890123456789012345678901234567890123456789012345678901234 x\n",
         ":1: the kid is too long or not printable ASCII"},
        {"-----BEGIN PRIVATE KEY-----\n",
         ":1: more than a kid and a secret, neither may hold blanks"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        char error[TOKEN_KEYS_ERROR_SIZE] = "";
        char expected[TOKEN_KEYS_ERROR_SIZE];

        cr_expect_null(load_secrets(table[i].text, error), "%s", table[i].text);
        snprintf(expected, sizeof expected, "%s/secrets%s", folder, table[i].reason);
        cr_expect_eq(strncmp(error, expected, strlen(expected)), 0, "%s", error);
        cr_expect_null(strpbrk(error, "\n\x01"));
    }
}

Test(key_sources, there_is_a_most_and_a_least_of_keys)
{
    char text[16 * (TOKEN_KEYS_MAX + 1)] = "";
    char error[TOKEN_KEYS_ERROR_SIZE] = "";
    struct token_keys *keys;
    size_t len = 0;

    cr_expect_null(load_secrets("", error));
    cr_expect_str_eq(error, "no key is configured, so no token could be valid");
    cr_expect_null(load_secrets("\n# nothing\n\n", error));
    for (int i = 0; i < TOKEN_KEYS_MAX; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "k%d s%d\n", i, i);
    }
    keys = load_secrets(text, error);
    cr_assert_not_null(keys, "%s", error);
    cr_expect_eq(verify_hmac(keys, PLAIN, "s0"), TOKEN_OK);
    cr_expect_eq(verify_hmac(keys, PLAIN, "s31"), TOKEN_OK);
    token_keys_unref(keys);
    snprintf(text + len, sizeof text - len, "more\n");
    cr_expect_null(load_secrets(text, error));
    cr_expect_not_null(strstr(error, ":33: more than 32 keys"), "%s", error);
}

Test(key_sources, a_secret_file_wins_over_the_secret)
{
    char error[TOKEN_KEYS_ERROR_SIZE] = "";
    struct key_sources sources = {.secret = "direct"};
    struct token_keys *keys = key_sources_load(&sources, error);

    cr_assert_not_null(keys);
    cr_expect_eq(verify_hmac(keys, PLAIN, "direct"), TOKEN_OK);
    token_keys_unref(keys);
    sources.secret_file = file_write("secret", "in a file, with blanks\n");
    keys = key_sources_load(&sources, error);
    cr_assert_not_null(keys);
    cr_expect_eq(verify_hmac(keys, PLAIN, "direct"), TOKEN_BAD_SIGNATURE);
    cr_expect_eq(verify_hmac(keys, PLAIN, "in a file, with blanks"), TOKEN_OK);
    token_keys_unref(keys);
    sources.secret_file = file_write("secret", "\n");
    cr_expect_null(key_sources_load(&sources, error));
    sources.secret_file = "/nonexistent/secret";
    cr_expect_null(key_sources_load(&sources, error));
    cr_expect_str_eq(error, "/nonexistent/secret: No such file or directory");
}

static const char *public_file_write(const char *name, EVP_PKEY *pair)
{
    char pem[CRAFT_PEM_SIZE];

    craft_public_pem(pair, pem);
    return file_write(name, pem);
}

static enum token_result verify_pair(const struct token_keys *keys, const char *header,
                                     EVP_PKEY *pair)
{
    char *text = craft_pair_token(header, PAYLOAD, pair);
    enum token_result result = verify(keys, text);

    free(text);
    return result;
}

Test(key_sources, files_and_folders_give_public_keys_by_name)
{
    char error[TOKEN_KEYS_ERROR_SIZE] = "", list[3 * PATH_SIZE];
    EVP_PKEY *one = craft_pair("ED25519", ""), *two = craft_pair("ED25519", "");
    EVP_PKEY *three = craft_pair("EC", "P-256");
    char sub[PATH_SIZE];

    snprintf(sub, sizeof sub, "%s/keys", folder);
    cr_assert_eq(mkdir(sub, 0700), 0);
    public_file_write("keys/one.pem", one);
    public_file_write("keys/three.pem", three);
    file_write("keys/README", "not a key");
    file_write("keys/.hidden.pem", "not a key");
    snprintf(list, sizeof list, " %s , ,%s,", sub, public_file_write("two", two));
    struct key_sources sources = {.secret = "s", .public_keys = list};
    struct token_keys *keys = key_sources_load(&sources, error);

    cr_assert_not_null(keys, "%s", error);
    cr_expect_eq(token_keys_count(keys), 4);
    cr_expect_eq(verify_pair(keys, "{\"alg\":\"EdDSA\"}", one), TOKEN_OK);
    cr_expect_eq(verify_pair(keys, "{\"alg\":\"EdDSA\"}", two), TOKEN_OK);
    cr_expect_eq(verify_pair(keys, "{\"alg\":\"EdDSA\",\"kid\":\"one\"}", one), TOKEN_OK);
    cr_expect_eq(verify_pair(keys, "{\"alg\":\"EdDSA\",\"kid\":\"two\"}", two), TOKEN_OK);
    cr_expect_eq(verify_pair(keys, "{\"alg\":\"EdDSA\",\"kid\":\"one\"}", two),
                 TOKEN_BAD_SIGNATURE);
    cr_expect_eq(verify_pair(keys, "{\"alg\":\"EdDSA\",\"kid\":\"three\"}", one),
                 TOKEN_BAD_ALGORITHM);
    cr_expect_eq(verify_pair(keys, "{\"alg\":\"EdDSA\",\"kid\":\"four\"}", one), TOKEN_UNKNOWN_KEY);
    cr_expect_eq(verify_hmac(keys, KID("one"), "s"), TOKEN_BAD_ALGORITHM);
    cr_expect_eq(verify_hmac(keys, KID("four"), "s"), TOKEN_OK);
    token_keys_unref(keys);
    EVP_PKEY_free(one);
    EVP_PKEY_free(two);
    EVP_PKEY_free(three);
}

static void expect_load_error(const struct key_sources *sources, const char *expected)
{
    char error[TOKEN_KEYS_ERROR_SIZE] = "";

    cr_expect_null(key_sources_load(sources, error));
    cr_expect_not_null(strstr(error, expected), "%s", error);
    cr_expect_null(strchr(error, '\n'));
}

Test(key_sources, bad_key_files_are_named_with_the_reason)
{
    EVP_PKEY *pair = craft_pair("ED25519", "");
    EVP_PKEY *weak = craft_pair("RSA", "1024");
    const char *path = public_file_write("a.pem", pair);
    char list[2 * PATH_SIZE], sub[PATH_SIZE];

    expect_load_error(&(struct key_sources){.public_keys = "/nonexistent/a.pem"},
                      "/nonexistent/a.pem: No such file or directory");
    expect_load_error(&(struct key_sources){.public_keys = public_file_write("w.pem", weak)},
                      "/w.pem: RSA key of 1024 bits, only 2048 to 8192 are taken");
    expect_load_error(&(struct key_sources){.public_keys = public_file_write("a b.pem", pair)},
                      "/a b.pem: the file's name is the kid and too long or not printable ASCII");
    snprintf(list, sizeof list, "%s,%s", path, path);
    expect_load_error(&(struct key_sources){.public_keys = list},
                      "/a.pem: the key a is already in ");
    expect_load_error(
        &(struct key_sources){.secrets_file = file_write("secrets", "a s"), .public_keys = path},
        "/a.pem: the key a is already in ");
    /* One bad file in a folder spoils it: half a set of keys would be a riddle. */
    expect_load_error(&(struct key_sources){.public_keys = folder}, "");
    snprintf(sub, sizeof sub, "%s/empty", folder);
    cr_assert_eq(mkdir(sub, 0700), 0);
    expect_load_error(&(struct key_sources){.public_keys = sub}, "no key is configured");
    expect_load_error(&(struct key_sources){0}, "no key is configured");
    EVP_PKEY_free(pair);
    EVP_PKEY_free(weak);
}

Test(key_sources, signers_put_algorithm_and_kid_into_the_header)
{
    static const struct {
        const char *type;
        const char *kid;
        const char *header;
    } table[] = {
        {NULL, NULL, "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"},
        {NULL, "", "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"},
        {NULL, "2024", "{\"alg\":\"HS256\",\"kid\":\"2024\",\"typ\":\"JWT\"}"},
        {NULL, "\"\\", "{\"alg\":\"HS256\",\"kid\":\"\\\"\\\\\",\"typ\":\"JWT\"}"},
        {"ED25519", NULL, "{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}"},
        {"ED25519", "a", "{\"alg\":\"EdDSA\",\"kid\":\"a\",\"typ\":\"JWT\"}"},
        {"EC", "b", "{\"alg\":\"ES256\",\"kid\":\"b\",\"typ\":\"JWT\"}"},
        {"RSA", "c", "{\"alg\":\"RS256\",\"kid\":\"c\",\"typ\":\"JWT\"}"},
    };
    struct token_claims claims = {.exp_s = 1000, .nbf_s = 900, .iat_s = 900};

    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        char error[TOKEN_KEYS_ERROR_SIZE] = "", pem[CRAFT_PEM_SIZE];
        const char *path = NULL;
        char *text = NULL;
        char *header = craft_base64url(bytes_of_text(table[i].header));

        if (table[i].type != NULL) {
            EVP_PKEY *pair = craft_pair(table[i].type, table[i].type[0] == 'R' ? "2048" : "P-256");

            craft_private_pem(pair, NULL, pem);
            path = file_write("private", pem);
            EVP_PKEY_free(pair);
        }
        struct token_keys *keys =
            key_sources_load_signer(path == NULL ? "s" : NULL, path, table[i].kid, error);

        cr_assert_not_null(keys, "%s", error);
        cr_assert_eq(token_sign(keys, &claims, &text), TOKEN_OK);
        cr_expect_eq(strncmp(text, header, strlen(header)), 0, "%s", table[i].header);
        cr_expect_eq(text[strlen(header)], '.');
        cr_expect_eq(verify(keys, text), TOKEN_OK, "%s", table[i].header);
        free(header);
        free(text);
        token_keys_unref(keys);
    }
}

Test(key_sources, signers_that_cannot_be_have_a_reason)
{
    char error[TOKEN_KEYS_ERROR_SIZE] = "";
    struct token_claims claims = {.exp_s = 1000, .nbf_s = 900, .iat_s = 900};
    EVP_PKEY *pair = craft_pair("ED25519", "");
    char *text = NULL;

    cr_expect_null(key_sources_load_signer("s", NULL, "a b", error));
    cr_expect_not_null(strstr(error, "printable ASCII"), "%s", error);
    cr_expect_null(key_sources_load_signer(NULL, "/nonexistent", NULL, error));
    cr_expect_str_eq(error, "/nonexistent: No such file or directory");
    const char *path = public_file_write("a.pem", pair);

    cr_expect_null(key_sources_load_signer(NULL, path, NULL, error));
    cr_expect_not_null(strstr(error, "no private key in PEM form"), "%s", error);
    struct key_sources sources = {.public_keys = path};
    struct token_keys *keys = key_sources_load(&sources, error);

    cr_assert_not_null(keys, "%s", error);
    cr_expect_eq(token_sign(keys, &claims, &text), TOKEN_UNKNOWN_KEY);
    cr_expect_null(text);
    token_keys_unref(keys);
    EVP_PKEY_free(pair);
}

/* The matrix: each header with each signature against each key alone and against all at once. */

static const char *const algorithms[] = {
    "HS256", "EdDSA", "ES256",   "RS256",   "none",  "HS384", "HS512",  "RS384", "RS512", "PS256",
    "ES384", "eddsa", "ED25519", "Ed25519", "es256", "rs256", "ES256K", "RSA",   "",      "hs256",
};

enum { HMAC_KEY, EDDSA_KEY, ES256_KEY, RS256_KEY, KEYS };

static EVP_PKEY *pairs[KEYS];

/* Whichever secret a confused verifier could take from a key that everybody may know. */
static char *public_secret_token(const char *header, int key, int form)
{
    uint8_t der[2048];
    uint8_t *end = der;
    uint8_t raw[64];
    size_t raw_len = 0;
    char pem[CRAFT_PEM_SIZE];
    struct bytes secret;
    uint8_t signature[32];
    char *text = craft_signed_text(header, PAYLOAD);

    craft_public_pem(pairs[key], pem);
    if (form == 0) {
        secret = bytes_of_text(pem);
    } else if (form == 1) {
        secret = bytes_of(pem, strlen(pem) - 1);
    } else if (form == 2) {
        secret = bytes_of(der, (size_t)i2d_PUBKEY(pairs[key], &end));
    } else {
        raw_len = sizeof raw;
        if (EVP_PKEY_get_raw_public_key(pairs[key], raw, &raw_len) != 1) {
            raw_len = 0;
        }
        secret = bytes_of(raw, raw_len);
    }
    CHECK(HMAC(EVP_sha256(), secret.data, (int)secret.len, (const uint8_t *)text, strlen(text),
               signature, NULL) != NULL);
    return craft_join(text, craft_base64url(bytes_of(signature, sizeof signature)));
}

static char *digest_token(const char *header, int key, const EVP_MD *digest, bool pss)
{
    char *text = craft_signed_text(header, PAYLOAD);
    uint8_t signature[1024];
    size_t len = craft_signature(pairs[key], digest, pss, text, signature);

    return craft_join(text, craft_base64url(bytes_of(signature, len)));
}

enum { GENUINE_SIGNATURES = KEYS, PUBLIC_SECRETS = 12, OTHERS = 6 };
enum { SIGNATURES = GENUINE_SIGNATURES + PUBLIC_SECRETS + OTHERS };

/* The first KEYS ways are the right ones of each key, in the order of the algorithms. */
static char *signature_craft(const char *header, int way)
{
    if (way == HMAC_KEY) {
        return craft_token(header, PAYLOAD, "secret");
    }
    if (way < GENUINE_SIGNATURES) {
        return craft_pair_token(header, PAYLOAD, pairs[way]);
    }
    way -= GENUINE_SIGNATURES;
    if (way < PUBLIC_SECRETS) {
        return public_secret_token(header, EDDSA_KEY + way / 4, way % 4);
    }
    way -= PUBLIC_SECRETS;
    if (way == 0) {
        return craft_join(craft_signed_text(header, PAYLOAD), craft_base64url(bytes_of("", 0)));
    }
    if (way == 1) {
        return digest_token(header, ES256_KEY, EVP_sha256(), false); /* DER, not two numbers */
    }
    if (way == 2) {
        return digest_token(header, ES256_KEY, EVP_sha384(), false);
    }
    if (way == 3) {
        return digest_token(header, RS256_KEY, EVP_sha256(), true); /* PS256 */
    }
    if (way == 4) {
        return digest_token(header, RS256_KEY, EVP_sha384(), false);
    }
    return digest_token(header, RS256_KEY, EVP_sha512(), false);
}

static struct token_keys *keys_of(unsigned set)
{
    static const char *const names[KEYS] = {"", "ed.pem", "ec.pem", "rsa.pem"};
    char error[TOKEN_KEYS_ERROR_SIZE] = "", list[4 * PATH_SIZE];
    size_t len = 0;
    struct key_sources sources = {.secret = (set & 1u << HMAC_KEY) != 0 ? "secret" : NULL,
                                  .public_keys = list};

    list[0] = '\0';
    for (int key = EDDSA_KEY; key < KEYS; key++) {
        if ((set & 1u << key) != 0) {
            len += (size_t)snprintf(list + len, sizeof list - len, "%s,",
                                    public_file_write(names[key], pairs[key]));
        }
    }
    struct token_keys *keys = key_sources_load(&sources, error);

    cr_assert_not_null(keys, "%s", error);
    return keys;
}

Test(key_sources, no_key_answers_for_another_algorithm)
{
    struct token_keys *sets[1u << KEYS] = {NULL};
    unsigned accepted = 0;

    pairs[EDDSA_KEY] = craft_pair("ED25519", "");
    pairs[ES256_KEY] = craft_pair("EC", "P-256");
    pairs[RS256_KEY] = craft_pair("RSA", "2048");
    for (unsigned set = 1; set < ARRAY_LENGTH(sets); set++) {
        sets[set] = keys_of(set);
    }
    for (int a = 0; a < (int)ARRAY_LENGTH(algorithms); a++) {
        for (int way = 0; way < SIGNATURES; way++) {
            char header[64];

            snprintf(header, sizeof header, "{\"alg\":\"%s\"}", algorithms[a]);
            char *text = signature_craft(header, way);

            for (unsigned set = 1; set < ARRAY_LENGTH(sets); set++) {
                bool right = a < KEYS && way == a && (set & 1u << a) != 0;
                enum token_result result = verify(sets[set], text);

                accepted += result == TOKEN_OK;
                cr_expect_eq(result == TOKEN_OK, right, "alg %s, way %d, set %u: %d", algorithms[a],
                             way, set, (int)result);
                cr_expect(a < KEYS && (set & 1u << a) != 0 ? result != TOKEN_BAD_ALGORITHM
                                                           : result == TOKEN_BAD_ALGORITHM,
                          "alg %s, way %d, set %u: %d", algorithms[a], way, set, (int)result);
            }
            free(text);
        }
    }
    cr_expect_eq(accepted, KEYS * (1u << (KEYS - 1))); /* each key in half of the sets */
    for (unsigned set = 1; set < ARRAY_LENGTH(sets); set++) {
        token_keys_unref(sets[set]);
    }
    for (int key = EDDSA_KEY; key < KEYS; key++) {
        EVP_PKEY_free(pairs[key]);
    }
}

/* RS256 is slow to sign, so the change goes through every byte of one token of each kind. */
Test(key_sources, every_changed_character_of_a_public_key_token_is_refused)
{
    static const char *const headers[] = {"{\"alg\":\"EdDSA\"}", "{\"alg\":\"ES256\"}",
                                          "{\"alg\":\"RS256\"}"};
    EVP_PKEY *made[] = {craft_pair("ED25519", ""), craft_pair("EC", "P-256"),
                        craft_pair("RSA", "2048")};

    for (size_t k = 0; k < ARRAY_LENGTH(made); k++) {
        char error[TOKEN_KEYS_ERROR_SIZE] = "";
        struct key_sources sources = {.public_keys = public_file_write("k.pem", made[k])};
        struct token_keys *keys = key_sources_load(&sources, error);
        char *text = craft_pair_token(headers[k], PAYLOAD, made[k]);

        cr_assert_not_null(keys, "%s", error);
        cr_expect_eq(verify(keys, text), TOKEN_OK);
        for (size_t i = 0; text[i] != '\0'; i++) {
            char c = text[i];

            text[i] = c == 'A' ? 'B' : 'A';
            cr_expect_neq(verify(keys, text), TOKEN_OK, "character %zu", i);
            text[i] = c;
        }
        cr_expect_eq(verify(keys, text), TOKEN_OK);
        free(text);
        token_keys_unref(keys);
        EVP_PKEY_free(made[k]);
    }
}

/* The relay's TLS looks into the same queue of errors on the same thread. */
Test(key_sources, refusals_leave_no_openssl_error_behind)
{
    EVP_PKEY *pair = craft_pair("RSA", "2048"), *other = craft_pair("RSA", "2048");
    char error[TOKEN_KEYS_ERROR_SIZE] = "";
    struct key_sources sources = {.public_keys = public_file_write("a.pem", pair)};
    struct token_keys *keys = key_sources_load(&sources, error);

    cr_assert_not_null(keys, "%s", error);
    cr_expect_eq(verify_pair(keys, "{\"alg\":\"RS256\"}", other), TOKEN_BAD_SIGNATURE);
    cr_expect_eq(ERR_peek_error(), 0);
    token_keys_unref(keys);
    EVP_PKEY_free(pair);
    EVP_PKEY_free(other);
}

static enum token_result verify_digest(const struct token_keys *keys, const char *header,
                                       const EVP_MD *digest)
{
    char *text = craft_token_bytes(bytes_of_text(header), bytes_of_text(PAYLOAD), "one", digest);
    enum token_result result = verify(keys, text);

    free(text);
    return result;
}

Test(key_sources, secrets_verify_the_algorithms_that_are_asked_for)
{
    static const struct {
        const char *list;
        bool hs256, hs384, hs512;
    } table[] = {
        {NULL, true, false, false},           {"", true, false, false},
        {"HS256", true, false, false},        {"HS384", false, true, false},
        {"HS512 , HS256", true, false, true}, {"HS256,HS384,HS512", true, true, true},
        {"HS256,HS256", true, false, false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        const struct key_sources sources = {.secret = "one", .hmac_algorithms = table[i].list};
        char error[TOKEN_KEYS_ERROR_SIZE];
        struct token_keys *keys = key_sources_load(&sources, error);

        cr_assert_not_null(keys, "%s", error);
        cr_expect_eq(token_keys_count(keys), 1);
        cr_expect_eq(verify_digest(keys, "{\"alg\":\"HS256\"}", EVP_sha256()),
                     table[i].hs256 ? TOKEN_OK : TOKEN_BAD_ALGORITHM, "%zu", i);
        cr_expect_eq(verify_digest(keys, "{\"alg\":\"HS384\"}", EVP_sha384()),
                     table[i].hs384 ? TOKEN_OK : TOKEN_BAD_ALGORITHM, "%zu", i);
        cr_expect_eq(verify_digest(keys, "{\"alg\":\"HS512\"}", EVP_sha512()),
                     table[i].hs512 ? TOKEN_OK : TOKEN_BAD_ALGORITHM, "%zu", i);
        cr_expect_neq(verify_digest(keys, "{\"alg\":\"HS512\"}", EVP_sha384()), TOKEN_OK);
        cr_expect_neq(verify_digest(keys, "{\"alg\":\"HS384\"}", EVP_sha256()), TOKEN_OK);
        cr_expect_neq(verify_digest(keys, "{\"alg\":\"HS256\"}", EVP_sha512()), TOKEN_OK);
        token_keys_unref(keys);
    }
}

Test(key_sources, algorithms_that_are_not_for_secrets_are_refused)
{
    static const char *const lists[] = {"RS256", "HS256,EdDSA", "none", "hs256",
                                        ",",     "HS256 HS384", " "};

    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        const struct key_sources sources = {.secret = "one", .hmac_algorithms = lists[i]};
        char error[TOKEN_KEYS_ERROR_SIZE] = "";
        struct token_keys *keys = key_sources_load(&sources, error);

        cr_expect_null(keys, "%s", lists[i]);
        cr_expect_not_null(strstr(error, "RELAY_HMAC_ALGORITHMS can have"), "%s", error);
        token_keys_unref(keys);
    }
}
