#include "cli/token_inspect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/options/options.h"
#include "cli/option_tables.h"
#include "token/inspect.h"
#include "token/key_sources.h"
#include "token/token.h"

struct inspect_options {
    char *audience;
    char *public_keys;
    char *secret;
    char *secret_file;
    char *secrets_file;
    char *hmac_algorithms;
};

enum { INPUT_BYTES_MAX = 2 * TOKEN_BYTES_MAX };

static const struct option_spec specs[] = {
    {.env = "RELAY_SECRET",
     .flag = "secret",
     .type = OPTION_SECRET,
     .offset = offsetof(struct inspect_options, secret),
     .help = "A shared secret of the relay (HS256)."},
    {.env = "RELAY_SECRET_FILE",
     .flag = "secret-file",
     .type = OPTION_TEXT,
     .offset = offsetof(struct inspect_options, secret_file),
     .help = "File that holds the secret. Takes precedence over RELAY_SECRET."},
    {.env = "RELAY_SECRETS_FILE",
     .flag = "secrets-file",
     .type = OPTION_TEXT,
     .offset = offsetof(struct inspect_options, secrets_file),
     .help = "File of several secrets, one in each line: kid and secret, or just a secret."},
    {.env = "RELAY_PUBLIC_KEYS",
     .flag = "public-keys",
     .type = OPTION_TEXT,
     .offset = offsetof(struct inspect_options, public_keys),
     .help = "PEM files of public keys, and folders of such files, separated by commas."},
    {.env = "RELAY_HMAC_ALGORITHMS",
     .flag = "hmac-algorithms",
     .type = OPTION_TEXT,
     .offset = offsetof(struct inspect_options, hmac_algorithms),
     .default_text = "HS256",
     .help = "Algorithms of shared secrets, separated by commas: HS256, HS384, HS512."},
    {.env = "RELAY_AUDIENCE",
     .flag = "audience",
     .type = OPTION_TEXT,
     .offset = offsetof(struct inspect_options, audience),
     .help = "The access URL that the token must name. Not checked when empty."},
};

const struct option_table token_inspect_option_table = {
    .command = "relay token inspect",
    .summary = "explain an access token",
    .synopsis = "Explains the token on standard input (or given as first argument, which other "
                "users of the machine can see): claims, times, the key that signed it, and why it "
                "would be refused. Exit status 0 for a valid token.",
    .specs = specs,
    .specs_count = ARRAY_LENGTH(specs),
};

/* Without the characters around a token where it was copied from. */
static struct bytes token_strip(struct bytes text)
{
    text = bytes_strip(text);
    return bytes_start_with(text, "Bearer ") ? token_strip(bytes_skip(text, 7)) : text;
}

/* NULL keys when none is configured. False when they cannot be loaded. */
static bool keys_load(const struct inspect_options *options, struct token_keys **ret_keys)
{
    const struct key_sources sources = {
        .secret = options->secret,
        .secret_file = options->secret_file,
        .secrets_file = options->secrets_file,
        .public_keys = options->public_keys,
        .hmac_algorithms = options->hmac_algorithms,
    };
    char error[TOKEN_KEYS_ERROR_SIZE];

    if (text_is_empty(sources.secret) && text_is_empty(sources.secret_file) &&
        text_is_empty(sources.secrets_file) && text_is_empty(sources.public_keys)) {
        *ret_keys = NULL;
        return true;
    }
    *ret_keys = key_sources_load(&sources, error);
    if (*ret_keys == NULL) {
        fprintf(stderr, "relay token inspect: %s\n", error);
    }
    return *ret_keys != NULL;
}

static int text_inspect(const struct inspect_options *options, struct bytes text)
{
    struct token_keys *keys;

    if (!keys_load(options, &keys)) {
        return 1;
    }
    const struct token_inspection inspection = {
        .keys = keys, .audience = options->audience, .now_s = clock_wall_s()};
    bool valid = token_inspect(&inspection, token_strip(text), stdout);

    token_keys_unref(keys);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("relay token inspect: cannot write");
        return 1;
    }
    return valid ? 0 : 1;
}

static int input_inspect(const struct inspect_options *options)
{
    char text[INPUT_BYTES_MAX];

    setvbuf(stdin, NULL, _IONBF, 0); /* no copy of the token stays in a stdio buffer */
    size_t len = fread(text, 1, sizeof text, stdin);

    if (ferror(stdin)) {
        perror("relay token inspect: cannot read standard input");
        return 1;
    }
    int status = text_inspect(options, bytes_of(text, len));

    bytes_wipe(text, len);
    return status;
}

int token_inspect_run(int argc, char **argv)
{
    struct inspect_options options = {0};
    const char *text = NULL;
    int status = 1;

    if (argc > 2 && strcmp(argv[argc - 1], "-") == 0) {
        argc--; /* standard input is the default anyway */
    }
    if (argc > 1 && (argv[1][0] != '-' || argv[1][1] == '\0')) {
        text = argv[1][0] == '-' ? NULL : argv[1];
        argc--;
        argv++; /* the first one is skipped as the program's name */
    }
    if (options_read(&token_inspect_option_table, argc, argv, &options, &status)) {
        status =
            text == NULL ? input_inspect(&options) : text_inspect(&options, bytes_of_text(text));
    }
    options_release(&token_inspect_option_table, &options);
    return status;
}
