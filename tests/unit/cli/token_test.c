/* Goal: relay token behaves as practable's, by environment and by flag. Method: the command in this
 * process with its output redirected; what it prints is verified. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/option_tables.h"
#include "tests/unit/token/key_craft.h"
#include "token/token.h"

#define AUDIENCE "https://app.practable.io/ed0/access"
#define NO_SCOPES                                                                                  \
    "No scopes requested. Set one or more of RELAY_TOKEN_SCOPE_ADMIN, RELAY_TOKEN_SCOPE_READ, or " \
    "RELAY_TOKEN_SCOPE_WRITE to be true\n"

static void start(void)
{
    for (size_t i = 0; i < token_option_table.specs_count; i++) {
        unsetenv(token_option_table.specs[i].env);
    }
    cr_redirect_stdout();
    cr_redirect_stderr();
}

TestSuite(cli_token, .init = start);

static void set_required(void)
{
    setenv("RELAY_TOKEN_LIFETIME", "3600", 1);
    setenv("RELAY_TOKEN_SECRET", "somesecret", 1);
    setenv("RELAY_TOKEN_TOPIC", "123", 1);
    setenv("RELAY_TOKEN_AUDIENCE", AUDIENCE, 1);
}

/* Runs with up to four flags and returns the exit status. */
static int run(const char *flag_1, const char *flag_2, const char *flag_3, const char *flag_4)
{
    char *argv[] = {(char[]){"token"}, NULL, NULL, NULL, NULL, NULL};
    const char *flags[] = {flag_1, flag_2, flag_3, flag_4};
    int argc = 1;

    for (size_t i = 0; i < ARRAY_LENGTH(flags) && flags[i] != NULL; i++) {
        argv[argc++] = strdup(flags[i]);
    }
    int status = command_token(argc, argv);

    for (int i = 1; i < argc; i++) {
        free(argv[i]);
    }
    fflush(stdout);
    fflush(stderr);
    return status;
}

/* The one line on stdout, verified with the secret. */
static struct token_claims printed_claims(const char *secret)
{
    char line[TOKEN_BYTES_MAX + 2] = "";
    FILE *out = cr_get_redirected_stdout();
    size_t len = fread(line, 1, sizeof line - 1, out);
    struct token_keys *keys = token_keys_create(secret);
    struct token_claims claims = {0};

    cr_assert_gt(len, 1);
    cr_assert_eq(line[len - 1], '\n');
    cr_assert_eq(token_verify(keys, bytes_of(line, len - 1), clock_wall_s(), &claims), TOKEN_OK,
                 "%s", line);
    token_keys_destroy(keys);
    return claims;
}

static void expect_scopes(const struct token_claims *claims, const char *expected)
{
    char joined[TOKEN_SCOPES_MAX * (TOKEN_SCOPE_SIZE + 1)] = "";

    for (unsigned i = 0; i < claims->scopes_count; i++) {
        size_t used = strlen(joined);

        snprintf(joined + used, sizeof joined - used, "%s%s", i == 0 ? "" : " ", claims->scopes[i]);
    }
    cr_expect_str_eq(joined, expected);
}

Test(cli_token, defaults)
{
    int64_t before_s = clock_wall_s();

    set_required();
    cr_assert_eq(run(NULL, NULL, NULL, NULL), 0);
    struct token_claims claims = printed_claims("somesecret");

    cr_expect_str_eq(claims.booking_id, "relay-token-cli");
    cr_expect_str_eq(claims.topic, "123");
    cr_expect_str_eq(claims.prefix, "session");
    cr_expect_eq(claims.audiences_count, 1);
    cr_expect(token_claims_have_audience(&claims, AUDIENCE));
    expect_scopes(&claims, "write read");
    cr_expect_geq(claims.iat_s, before_s - 1);
    cr_expect_leq(claims.iat_s, clock_wall_s() - 1);
    cr_expect_eq(claims.nbf_s, claims.iat_s);
    cr_expect_eq(claims.exp_s, claims.iat_s + 3600);
}

Test(cli_token, a_link_to_the_page_has_the_token_in_its_fragment)
{
    static const char begin[] = AUDIENCE "/watch#topic=123&token=";
    char line[TOKEN_BYTES_MAX + sizeof begin] = "";

    set_required();
    setenv("RELAY_TOKEN_WATCH", "true", 1);
    cr_assert_eq(run(NULL, NULL, NULL, NULL), 0);
    cr_assert_not_null(fgets(line, sizeof line, cr_get_redirected_stdout()));
    cr_expect_eq(strncmp(line, begin, strlen(begin)), 0, "%s", line);
    line[strcspn(line, "\n")] = '\0';
    struct token_keys *keys = token_keys_create("somesecret");
    struct token_claims claims = {0};

    cr_expect_eq(token_verify(keys, bytes_of_text(line + strlen(begin)), clock_wall_s(), &claims),
                 TOKEN_OK);
    token_keys_destroy(keys);
}

Test(cli_token, a_link_needs_a_topic)
{
    set_required();
    unsetenv("RELAY_TOKEN_TOPIC");
    setenv("RELAY_TOKEN_SCOPE_ADMIN", "true", 1);
    cr_expect_eq(run("--watch", NULL, NULL, NULL), 1);
    cr_expect_stdout_eq_str("RELAY_TOKEN_TOPIC not set\n");
}

Test(cli_token, all_scopes_in_order)
{
    set_required();
    setenv("RELAY_TOKEN_SCOPE_ADMIN", "true", 1);
    setenv("RELAY_TOKEN_SCOPE_OTHER", "relay:stats", 1);
    cr_assert_eq(run(NULL, NULL, NULL, NULL), 0);
    struct token_claims claims = printed_claims("somesecret");

    expect_scopes(&claims, "relay:admin write read relay:stats");
}

Test(cli_token, an_admin_needs_no_topic)
{
    set_required();
    unsetenv("RELAY_TOKEN_TOPIC");
    setenv("RELAY_TOKEN_SCOPE_ADMIN", "true", 1);
    setenv("RELAY_TOKEN_SCOPE_READ", "false", 1);
    setenv("RELAY_TOKEN_SCOPE_WRITE", "false", 1);
    cr_assert_eq(run(NULL, NULL, NULL, NULL), 0);
    struct token_claims claims = printed_claims("somesecret");

    expect_scopes(&claims, "relay:admin");
    cr_expect_str_empty(claims.topic);
}

Test(cli_token, flags_win_over_the_environment)
{
    set_required();
    setenv("RELAY_TOKEN_BOOKING_ID", "from-env", 1);
    setenv("RELAY_TOKEN_CONNECTION_TYPE", "", 1);
    cr_assert_eq(run("--topic=456", "--booking-id", "mine", "--scope-write=false"), 0);
    struct token_claims claims = printed_claims("somesecret");

    cr_expect_str_eq(claims.topic, "456");
    cr_expect_str_eq(claims.booking_id, "mine");
    cr_expect_str_eq(claims.prefix, "session");
    expect_scopes(&claims, "read");
}

static void run_with_secret_file(const char *content, int expected_status)
{
    char path[] = "/tmp/relay-token-test-XXXXXX";
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
    setenv("RELAY_TOKEN_SECRET_FILE", path, 1);
    int status = run(NULL, NULL, NULL, NULL);

    unlink(path);
    cr_assert_eq(status, expected_status);
}

Test(cli_token, secret_may_come_from_a_file)
{
    set_required();
    unsetenv("RELAY_TOKEN_SECRET");
    run_with_secret_file("from the file\n", 0);
    printed_claims("from the file");
}

Test(cli_token, secret_itself_wins_over_its_file)
{
    set_required();
    run_with_secret_file("from the file\n", 0);
    printed_claims("somesecret");
}

Test(cli_token, an_empty_secret_file_is_named)
{
    set_required();
    unsetenv("RELAY_TOKEN_SECRET");
    run_with_secret_file("\n", 1);
    cr_expect_stdout_eq_str("");

    char text[256] = "";
    size_t len = fread(text, 1, sizeof text - 1, cr_get_redirected_stderr());

    cr_expect_gt(len, 0);
    cr_expect_not_null(strstr(text, "RELAY_TOKEN_SECRET_FILE=/tmp/"), "%s", text);
    cr_expect_not_null(strstr(text, ": is empty\n"), "%s", text);
}

Test(cli_token, an_unreadable_secret_file_is_named)
{
    set_required();
    unsetenv("RELAY_TOKEN_SECRET");
    setenv("RELAY_TOKEN_SECRET_FILE", "/nonexistent/secret", 1);
    cr_expect_eq(run(NULL, NULL, NULL, NULL), 1);
    cr_expect_stdout_eq_str("");
    cr_expect_stderr_eq_str("relay token: cannot read RELAY_TOKEN_SECRET_FILE=/nonexistent/secret: "
                            "No such file or directory\n");
}

Test(cli_token, all_that_is_missing_is_told)
{
    cr_expect_eq(run(NULL, NULL, NULL, NULL), 1);
    cr_expect_stdout_eq_str("RELAY_TOKEN_LIFETIME not set\n"
                            "RELAY_TOKEN_SECRET not set\n"
                            "RELAY_TOKEN_TOPIC not set\n"
                            "RELAY_TOKEN_AUDIENCE not set\n");
}

Test(cli_token, scopes_cannot_all_be_off)
{
    set_required();
    setenv("RELAY_TOKEN_SCOPE_READ", "false", 1);
    setenv("RELAY_TOKEN_SCOPE_WRITE", "false", 1);
    setenv("RELAY_TOKEN_SCOPE_OTHER", "relay:stats", 1);
    cr_expect_eq(run(NULL, NULL, NULL, NULL), 1);
    cr_expect_stdout_eq_str(NO_SCOPES);
}

Test(cli_token, zero_lifetime_is_none)
{
    set_required();
    setenv("RELAY_TOKEN_LIFETIME", "0", 1);
    cr_expect_eq(run(NULL, NULL, NULL, NULL), 1);
    cr_expect_stdout_eq_str("RELAY_TOKEN_LIFETIME not set\n");
}

static const struct missing {
    const char *env;
    const char *message;
} missing[] = {
    {"RELAY_TOKEN_LIFETIME", "RELAY_TOKEN_LIFETIME not set\n"},
    {"RELAY_TOKEN_SECRET", "RELAY_TOKEN_SECRET not set\n"},
    {"RELAY_TOKEN_TOPIC", "RELAY_TOKEN_TOPIC not set\n"},
    {"RELAY_TOKEN_AUDIENCE", "RELAY_TOKEN_AUDIENCE not set\n"},
};

static void expect_missing(const struct missing *one)
{
    set_required();
    setenv(one->env, "", 1);
    cr_expect_eq(run(NULL, NULL, NULL, NULL), 1);
    cr_expect_stdout_eq_str(one->message);
}

Test(cli_token, lifetime_is_required)
{
    expect_missing(&missing[0]);
}

Test(cli_token, secret_is_required)
{
    expect_missing(&missing[1]);
}

Test(cli_token, topic_is_required)
{
    expect_missing(&missing[2]);
}

Test(cli_token, audience_is_required)
{
    expect_missing(&missing[3]);
}

static void expect_refused(const char *env, const char *value, const char *message)
{
    set_required();
    setenv(env, value, 1);
    cr_expect_eq(run(NULL, NULL, NULL, NULL), 1);
    cr_expect_stdout_eq_str("");
    cr_expect_stderr_eq_str(message);
}

static char *long_text(size_t len)
{
    static char text[TOKEN_TEXT_SIZE + 1];

    memset(text, 'a', len);
    text[len] = '\0';
    return text;
}

Test(cli_token, a_long_topic_is_refused)
{
    expect_refused("RELAY_TOKEN_TOPIC", long_text(TOKEN_TEXT_SIZE),
                   "relay token: RELAY_TOKEN_TOPIC is longer than 255 bytes\n");
}

Test(cli_token, a_long_audience_is_refused)
{
    expect_refused("RELAY_TOKEN_AUDIENCE", long_text(TOKEN_TEXT_SIZE),
                   "relay token: RELAY_TOKEN_AUDIENCE is longer than 255 bytes\n");
}

Test(cli_token, a_long_scope_is_refused)
{
    expect_refused("RELAY_TOKEN_SCOPE_OTHER", long_text(TOKEN_SCOPE_SIZE),
                   "relay token: RELAY_TOKEN_SCOPE_OTHER is longer than 63 bytes\n");
}

Test(cli_token, a_long_connection_type_is_refused)
{
    expect_refused("RELAY_TOKEN_CONNECTION_TYPE", long_text(TOKEN_PREFIX_SIZE),
                   "relay token: RELAY_TOKEN_CONNECTION_TYPE is longer than 31 bytes\n");
}

Test(cli_token, the_longest_topic_is_accepted)
{
    set_required();
    setenv("RELAY_TOKEN_TOPIC", long_text(TOKEN_TEXT_SIZE - 1), 1);
    cr_assert_eq(run(NULL, NULL, NULL, NULL), 0);
    struct token_claims claims = printed_claims("somesecret");

    cr_expect_eq(strlen(claims.topic), TOKEN_TEXT_SIZE - 1);
}

Test(cli_token, a_topic_that_is_not_text_is_refused)
{
    expect_refused("RELAY_TOKEN_TOPIC", "\xff", "relay token: token malformed\n");
}

Test(cli_token, a_wrong_number_is_refused)
{
    expect_refused("RELAY_TOKEN_LIFETIME", "1h",
                   "relay token: RELAY_TOKEN_LIFETIME must be a whole number but is 1h\n");
}

Test(cli_token, a_wrong_boolean_is_false_as_with_practable_relay)
{
    set_required();
    setenv("RELAY_TOKEN_SCOPE_READ", "yes", 1);
    cr_assert_eq(run(NULL, NULL, NULL, NULL), 0);
    struct token_claims claims = printed_claims("somesecret");

    expect_scopes(&claims, "write");
}

Test(cli_token, unknown_flags_are_refused)
{
    set_required();
    cr_expect_eq(run("--nope", NULL, NULL, NULL), 1);
    cr_expect_stderr_eq_str("relay token: unknown option --nope; see relay token --help\n");
}

Test(cli_token, help_shows_options_but_no_secret)
{
    char text[16384] = "";

    set_required();
    setenv("RELAY_TOKEN_SECRET", "hunter2hunter2", 1);
    cr_expect_eq(run("--help", NULL, NULL, NULL), 0);
    size_t len = fread(text, 1, sizeof text - 1, cr_get_redirected_stdout());

    text[len] = '\0';
    for (size_t i = 0; i < token_option_table.specs_count; i++) {
        cr_expect_not_null(strstr(text, token_option_table.specs[i].env), "%s",
                           token_option_table.specs[i].env);
    }
    cr_expect_null(strstr(text, "hunter2"));
}

static struct {
    char text[CRAFT_PEM_SIZE];
    char path[64];
} private_key;

/* Writes a private key and sets RELAY_TOKEN_KEY_FILE. */
static void set_private_key(const char *text)
{
    snprintf(private_key.path, sizeof private_key.path, "/tmp/relay-token-test-XXXXXX");
    int fd = mkstemp(private_key.path);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    unsetenv("RELAY_TOKEN_SECRET");
    setenv("RELAY_TOKEN_KEY_FILE", private_key.path, 1);
}

Test(cli_token, a_private_key_signs_instead_of_a_secret)
{
    EVP_PKEY *pair = craft_pair("ED25519", "");
    char line[TOKEN_BYTES_MAX] = "";

    craft_private_pem(pair, NULL, private_key.text);
    set_required();
    set_private_key(private_key.text);
    setenv("RELAY_TOKEN_KID", "2024", 1);
    cr_expect_eq(run(NULL, NULL, NULL, NULL), 0);
    unlink(private_key.path);
    cr_assert_gt(fread(line, 1, sizeof line - 1, cr_get_redirected_stdout()), 0);
    char *header =
        craft_base64url(bytes_of_text("{\"alg\":\"EdDSA\",\"kid\":\"2024\",\"typ\":\"JWT\"}"));

    cr_expect_eq(strncmp(line, header, strlen(header)), 0, "%s", line);
    free(header);
    EVP_PKEY_free(pair);
}

Test(cli_token, a_file_that_is_no_private_key_is_named)
{
    char expected[256];

    set_required();
    set_private_key("a secret is not a private key");
    cr_expect_eq(run(NULL, NULL, NULL, NULL), 1);
    unlink(private_key.path);
    snprintf(expected, sizeof expected, "relay token: %s: no private key in PEM form\n",
             private_key.path);
    cr_expect_stdout_eq_str("");
    cr_expect_stderr_eq_str(expected);
}

Test(cli_token, a_secret_and_a_private_key_are_one_too_many)
{
    expect_refused(
        "RELAY_TOKEN_KEY_FILE", "/nonexistent",
        "relay token: RELAY_TOKEN_KEY_FILE and a secret are both given, but a token has only "
        "one signature\n");
}

Test(cli_token, a_kid_with_blanks_is_refused)
{
    expect_refused("RELAY_TOKEN_KID", "a b",
                   "relay token: the kid must be at most 63 printable ASCII characters without "
                   "blanks\n");
}
