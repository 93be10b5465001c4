/* Goal: keys change under those who verify, and no token is judged by anything but one whole set.
 * Method: a plain program, because the thread sanitizer cannot run the unit test framework. One
 * thread rewrites the secrets file and reloads, as on SIGHUP, now and then with a bad file; others
 * verify all the while. Every set holds the secret of its generation and of the one before, and one
 * public key that stays. The generation is published when its set is in the slot, so that a
 * verifier knows what must pass and what must not. Old sets are freed while others are in use: the
 * address sanitizer sees what goes too early, or never. */
#include <openssl/pem.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/attributes.h"
#include "base/check.h"
#include "token/key_sources.h"
#include "token/token.h"
#include "token/token_keys_slot.h"

enum { VERIFIERS = 4, GENERATIONS = 120, BAD_EVERY = 5, RETIRED = 3, NOW_S = 950, PATH_SIZE = 128 };

struct context {
    struct token_keys_slot slot;
    char folder[PATH_SIZE];
    char secrets[PATH_SIZE];
    char public_key[PATH_SIZE];
    char *stable_token;
    char *tokens[GENERATIONS];
    _Atomic int generation;
    atomic_bool done;
};

struct verifier {
    struct context *context;
    pthread_t thread;
    unsigned rounds;
    unsigned judged; /* rounds in which the generation stood still */
};

static char *token_make(const char *secret, const char *private_key_file)
{
    char error[TOKEN_KEYS_ERROR_SIZE];
    const struct token_claims claims = {.exp_s = 1000, .nbf_s = 900, .iat_s = 900};
    struct token_keys *keys = key_sources_load_signer(secret, private_key_file, NULL, error);
    char *text;

    CHECK(keys != NULL);
    CHECK(token_sign(keys, &claims, &text) == TOKEN_OK);
    token_keys_unref(keys);
    return text;
}

static struct token_keys *generation_load(const struct context *context, int generation, bool bad)
{
    const struct key_sources sources = {.secrets_file = context->secrets,
                                        .public_keys = context->public_key};
    char error[TOKEN_KEYS_ERROR_SIZE] = "";
    FILE *file = fopen(context->secrets, "w");

    CHECK(file != NULL);
    fprintf(file, "new secret%d\nold secret%d\n%s", generation, generation - 1,
            bad ? "new again\n" : "");
    CHECK(fclose(file) == 0);
    struct token_keys *keys = key_sources_load(&sources, error);

    CHECK((keys == NULL) == bad);
    CHECK((error[0] != '\0') == bad);
    return keys;
}

static enum token_result verify(const struct token_keys *keys, const char *text)
{
    struct token_claims claims;

    return token_verify(keys, bytes_of_text(text), NOW_S, &claims);
}

static void verifier_round(struct verifier *verifier)
{
    struct context *context = verifier->context;
    int before = atomic_load(&context->generation);
    struct token_keys *keys = token_keys_slot_get(&context->slot);
    enum token_result result = verify(keys, context->tokens[before]);
    int after = atomic_load(&context->generation);

    CHECK(verify(keys, context->stable_token) == TOKEN_OK);
    CHECK(before < RETIRED ||
          verify(keys, context->tokens[before - RETIRED]) == TOKEN_BAD_SIGNATURE);
    if (before == after) { /* the set is of this generation or the next, which knows it too */
        CHECK(result == TOKEN_OK);
        verifier->judged++;
    }
    token_keys_unref(keys);
    verifier->rounds++;
}

static void *verifier_run(void *argument)
{
    struct verifier *verifier = argument;

    do {
        verifier_round(verifier);
    } while (!atomic_load(&verifier->context->done));
    return NULL;
}

static void reload_all(struct context *context)
{
    for (int generation = 1; generation < GENERATIONS; generation++) {
        if (generation % BAD_EVERY == 0) {
            CHECK(generation_load(context, generation, true) == NULL);
        }
        token_keys_slot_replace(&context->slot, generation_load(context, generation, false));
        atomic_store(&context->generation, generation);
    }
}

static void context_prepare(struct context *context)
{
    EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    char path[PATH_SIZE];

    snprintf(context->folder, PATH_SIZE, "/tmp/relay-keys-reload-XXXXXX");
    CHECK(mkdtemp(context->folder) != NULL);
    snprintf(context->secrets, PATH_SIZE, "%.100s/secrets", context->folder);
    snprintf(context->public_key, PATH_SIZE, "%.100s/a.pem", context->folder);
    snprintf(path, sizeof path, "%.100s/private", context->folder);

    FILE *public_key = fopen(context->public_key, "w"), *private_key = fopen(path, "w");

    CHECK(public_key != NULL && private_key != NULL);
    CHECK(PEM_write_PUBKEY(public_key, pair) == 1);
    CHECK(PEM_write_PKCS8PrivateKey(private_key, pair, NULL, NULL, 0, NULL, NULL) == 1);
    CHECK(fclose(public_key) == 0 && fclose(private_key) == 0);
    EVP_PKEY_free(pair);
    context->stable_token = token_make(NULL, path);
    unlink(path);
    for (int generation = 0; generation < GENERATIONS; generation++) {
        char secret[32];

        snprintf(secret, sizeof secret, "secret%d", generation);
        context->tokens[generation] = token_make(secret, NULL);
    }
    token_keys_slot_init(&context->slot, generation_load(context, 0, false));
}

static void context_release(struct context *context)
{
    token_keys_slot_deinit(&context->slot);
    free(context->stable_token);
    for (int generation = 0; generation < GENERATIONS; generation++) {
        free(context->tokens[generation]);
    }
    unlink(context->secrets);
    unlink(context->public_key);
    rmdir(context->folder);
}

int main(void)
{
    static struct context context;
    struct verifier verifiers[VERIFIERS] = {0};
    unsigned judged = 0;

    context_prepare(&context);
    for (int i = 0; i < VERIFIERS; i++) {
        verifiers[i].context = &context;
        CHECK(pthread_create(&verifiers[i].thread, NULL, verifier_run, &verifiers[i]) == 0);
    }
    reload_all(&context);
    atomic_store(&context.done, true);
    for (int i = 0; i < VERIFIERS; i++) {
        CHECK(pthread_join(verifiers[i].thread, NULL) == 0);
        judged += verifiers[i].judged;
        printf("verifier %d: %u rounds, %u judged\n", i, verifiers[i].rounds, verifiers[i].judged);
    }
    CHECK(judged > 0);
    context_release(&context);
    return 0;
}
