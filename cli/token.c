#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/options/options.h"
#include "base/options/secret_file.h"
#include "cli/command.h"
#include "cli/option_tables.h"
#include "cli/token/watch_link.h"
#include "cli/token_inspect.h"
#include "token/key_sources.h"
#include "token/token.h"

/* The messages about missing options go to stdout and keep their wording: scripts of practable's
 * users look for them. */

struct token_options {
    char *audience;
    char *booking_id;
    char *connection_type;
    char *key_file;
    char *kid;
    int64_t lifetime_s;
    bool scope_admin;
    char *scope_other;
    bool scope_read;
    bool scope_write;
    char *secret;
    char *secret_file;
    char *topic;
    bool watch;
};

#define BOOKING_ID_DEFAULT      "relay-token-cli"
#define CONNECTION_TYPE_DEFAULT "session"
#define LIFETIME_S_MAX          (INT64_C(100) * 366 * 24 * 3600)

static const struct option_spec specs[] = {
    {.env = "RELAY_TOKEN_LIFETIME",
     .flag = "lifetime",
     .type = OPTION_INTEGER,
     .offset = offsetof(struct token_options, lifetime_s),
     .required = true,
     .min = 0,
     .max = LIFETIME_S_MAX,
     .help = "How long the token is valid, in seconds."},
    {.env = "RELAY_TOKEN_SECRET",
     .flag = "secret",
     .type = OPTION_SECRET,
     .offset = offsetof(struct token_options, secret),
     .help = "The secret of the relay that will check the token. Required unless "
             "RELAY_TOKEN_KEY_FILE is given. Prefer the environment or RELAY_TOKEN_SECRET_FILE: "
             "flags are visible to other users of the machine."},
    {.env = "RELAY_TOKEN_SECRET_FILE",
     .flag = "secret-file",
     .type = OPTION_TEXT,
     .offset = offsetof(struct token_options, secret_file),
     .help = "File that holds the secret; read when RELAY_TOKEN_SECRET is empty."},
    {.env = "RELAY_TOKEN_KEY_FILE",
     .flag = "key-file",
     .type = OPTION_TEXT,
     .offset = offsetof(struct token_options, key_file),
     .help = "PEM file of a private key to sign with instead of a secret: Ed25519 (EdDSA), P-256 "
             "(ES256) or RSA (RS256). The relay has the public half in RELAY_PUBLIC_KEYS."},
    {.env = "RELAY_TOKEN_KID",
     .flag = "kid",
     .type = OPTION_TEXT,
     .offset = offsetof(struct token_options, kid),
     .help = "Name of the key in the token's header, by which the relay finds it among several. "
             "Left out when empty."},
    {.env = "RELAY_TOKEN_TOPIC",
     .flag = "topic",
     .type = OPTION_TEXT,
     .offset = offsetof(struct token_options, topic),
     .help = "The topic (session) to connect to. Required unless RELAY_TOKEN_SCOPE_ADMIN is true."},
    {.env = "RELAY_TOKEN_CONNECTION_TYPE",
     .flag = "connection-type",
     .type = OPTION_TEXT,
     .offset = offsetof(struct token_options, connection_type),
     .default_text = CONNECTION_TYPE_DEFAULT,
     .help = "The kind of connection, first part of the path on the relay."},
    {.env = "RELAY_TOKEN_AUDIENCE",
     .flag = "audience",
     .type = OPTION_TEXT,
     .offset = offsetof(struct token_options, audience),
     .required = true,
     .help = "The access URL of the relay, exactly as its RELAY_AUDIENCE."},
    {.env = "RELAY_TOKEN_BOOKING_ID",
     .flag = "booking-id",
     .type = OPTION_TEXT,
     .offset = offsetof(struct token_options, booking_id),
     .default_text = BOOKING_ID_DEFAULT,
     .help = "The booking by which connections of the token can be denied; use one per user."},
    {.env = "RELAY_TOKEN_SCOPE_READ",
     .flag = "scope-read",
     .type = OPTION_GO_BOOLEAN,
     .offset = offsetof(struct token_options, scope_read),
     .default_text = "true",
     .help = "Whether the holder may receive from the topic."},
    {.env = "RELAY_TOKEN_SCOPE_WRITE",
     .flag = "scope-write",
     .type = OPTION_GO_BOOLEAN,
     .offset = offsetof(struct token_options, scope_write),
     .default_text = "true",
     .help = "Whether the holder may send to the topic."},
    {.env = "RELAY_TOKEN_SCOPE_OTHER",
     .flag = "scope-other",
     .type = OPTION_TEXT,
     .offset = offsetof(struct token_options, scope_other),
     .help = "One further scope, such as relay:stats."},
    {.env = "RELAY_TOKEN_SCOPE_ADMIN",
     .flag = "scope-admin",
     .type = OPTION_GO_BOOLEAN,
     .offset = offsetof(struct token_options, scope_admin),
     .default_text = "false",
     .help = "Whether the holder may deny and allow bookings (relay:admin)."},
    {.env = "RELAY_TOKEN_WATCH",
     .flag = "watch",
     .type = OPTION_BOOLEAN,
     .offset = offsetof(struct token_options, watch),
     .default_text = "false",
     .help = "Print the address of a page that shows the topic, with the token in its fragment, "
             "instead of the token alone. The relay needs RELAY_WATCH_PAGE."},
};

const struct option_table token_option_table = {
    .command = "relay token",
    .summary = "make an access token",
    .synopsis = "Makes an access token and prints it on standard output. relay token inspect "
                "explains one.",
    .specs = specs,
    .specs_count = ARRAY_LENGTH(specs),
};

static bool secret_load(struct token_options *options)
{
    if (!text_is_empty(options->key_file) &&
        (!text_is_empty(options->secret) || !text_is_empty(options->secret_file))) {
        fprintf(stderr, "relay token: RELAY_TOKEN_KEY_FILE and a secret are both given, but a "
                        "token has only one signature\n");
        return false;
    }
    if (!text_is_empty(options->secret) || text_is_empty(options->secret_file)) {
        return true;
    }
    char *secret;
    int failed = secret_file_read_one(options->secret_file, &secret);

    if (failed != 0) {
        fprintf(stderr, "relay token: cannot read RELAY_TOKEN_SECRET_FILE=%s: %s\n",
                options->secret_file, secret_file_reason(failed));
        return false;
    }
    free(options->secret);
    options->secret = secret;
    return true;
}

static bool report_unset(bool is_unset, const char *env)
{
    if (is_unset) {
        printf("%s not set\n", env);
    }
    return is_unset;
}

/* All missing options are reported at once. */
static bool options_are_complete(const struct token_options *options)
{
    bool missing = report_unset(options->lifetime_s == 0, "RELAY_TOKEN_LIFETIME");

    missing |= report_unset(text_is_empty(options->secret) && text_is_empty(options->key_file),
                            "RELAY_TOKEN_SECRET");
    missing |=
        report_unset(text_is_empty(options->topic) && !options->scope_admin, "RELAY_TOKEN_TOPIC");
    missing |= report_unset(options->watch && text_is_empty(options->topic) && options->scope_admin,
                            "RELAY_TOKEN_TOPIC");
    missing |= report_unset(text_is_empty(options->audience), "RELAY_TOKEN_AUDIENCE");
    if (!options->scope_admin && !options->scope_read && !options->scope_write) {
        printf("No scopes requested. Set one or more of RELAY_TOKEN_SCOPE_ADMIN, "
               "RELAY_TOKEN_SCOPE_READ, or RELAY_TOKEN_SCOPE_WRITE to be true\n");
        missing = true;
    }
    return !missing;
}

static bool text_put(char *target, size_t target_size, const char *text, const char *env)
{
    if (bytes_to_text(bytes_of_text(text), target, target_size) != 0) {
        fprintf(stderr, "relay token: %s is longer than %zu bytes\n", env, target_size - 1);
        return false;
    }
    return true;
}

static bool scopes_put(struct token_claims *claims, const struct token_options *options)
{
    const struct {
        bool wanted;
        const char *scope;
    } scopes[] = {
        {options->scope_admin, "relay:admin"},
        {options->scope_write, "write"},
        {options->scope_read, "read"},
        {!text_is_empty(options->scope_other), options->scope_other},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(scopes); i++) {
        if (scopes[i].wanted && !token_claims_add_scope(claims, scopes[i].scope)) {
            fprintf(stderr, "relay token: RELAY_TOKEN_SCOPE_OTHER is longer than %d bytes\n",
                    TOKEN_SCOPE_SIZE - 1);
            return false;
        }
    }
    return true;
}

static const char *text_or(const char *text, const char *otherwise)
{
    return text_is_empty(text) ? otherwise : text;
}

static bool claims_fill(struct token_claims *claims, const struct token_options *options)
{
    int64_t issued_s = clock_wall_s() - 1; /* usable at once, even if a clock is slightly behind */

    *claims = (struct token_claims){
        .iat_s = issued_s, .nbf_s = issued_s, .exp_s = issued_s + options->lifetime_s};
    if (!token_claims_add_audience(claims, options->audience)) {
        fprintf(stderr, "relay token: RELAY_TOKEN_AUDIENCE is longer than %d bytes\n",
                TOKEN_TEXT_SIZE - 1);
        return false;
    }
    return text_put(claims->booking_id, sizeof claims->booking_id,
                    text_or(options->booking_id, BOOKING_ID_DEFAULT), "RELAY_TOKEN_BOOKING_ID") &&
           text_put(claims->topic, sizeof claims->topic, text_or(options->topic, ""),
                    "RELAY_TOKEN_TOPIC") &&
           text_put(claims->prefix, sizeof claims->prefix,
                    text_or(options->connection_type, CONNECTION_TYPE_DEFAULT),
                    "RELAY_TOKEN_CONNECTION_TYPE") &&
           scopes_put(claims, options);
}

static int token_print(const struct token_claims *claims, const struct token_options *options)
{
    char error[TOKEN_KEYS_ERROR_SIZE];
    char *text = NULL;
    struct token_keys *keys =
        key_sources_load_signer(options->secret, options->key_file, options->kid, error);

    if (keys == NULL) {
        fprintf(stderr, "relay token: %s\n", error);
        return 1;
    }
    enum token_result result = token_sign(keys, claims, &text);

    token_keys_unref(keys);
    if (result != TOKEN_OK) {
        fprintf(stderr, "relay token: %s\n", token_result_text(result));
        return 1;
    }
    int written = options->watch ? watch_link_print(stdout, options->audience, claims->topic, text)
                                 : printf("%s\n", text);
    bool printed = written > 0 && fflush(stdout) == 0;

    bytes_wipe(text, strlen(text));
    free(text);
    if (!printed) {
        perror("relay token: cannot write the token");
        return 1;
    }
    return 0;
}

static int token_make(struct token_options *options)
{
    struct token_claims claims;

    if (!secret_load(options) || !options_are_complete(options) || !claims_fill(&claims, options)) {
        return 1;
    }
    return token_print(&claims, options);
}

int command_token(int argc, char **argv)
{
    struct token_options options = {0};
    int status = 1;

    if (argc > 1 && strcmp(argv[1], "inspect") == 0) {
        return token_inspect_run(argc - 1, argv + 1);
    }
    if (options_read(&token_option_table, argc, argv, &options, &status)) {
        status = token_make(&options);
    }
    options_release(&token_option_table, &options);
    return status;
}
