/* Goal: what is signed verifies and reads back the same; what could not be verified is not signed.
 * Method: round trips at the limits, and the golden token of practable/relay's own monitor test,
 * byte for byte in both directions. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/token.h"

static struct token_claims plain_claims(void)
{
    return (struct token_claims){.exp_s = 1000, .nbf_s = 900, .iat_s = 900};
}

static void fill(char *text, size_t size, char c)
{
    memset(text, c, size - 1);
    text[size - 1] = '\0';
}

static void expect_round_trip(const struct token_claims *claims)
{
    struct token_keys *keys = token_keys_create("secret");
    struct token_claims back;
    char *text = NULL;

    cr_assert_eq(token_sign(keys, claims, &text), TOKEN_OK);
    cr_expect_leq(strlen(text), TOKEN_BYTES_MAX);
    cr_assert_eq(token_verify(keys, bytes_of_text(text), 950, &back), TOKEN_OK);
    cr_expect_arr_eq(&back, claims, sizeof back);
    free(text);
    token_keys_destroy(keys);
}

Test(sign, empty_claims_round_trip)
{
    struct token_claims claims = plain_claims();

    expect_round_trip(&claims);
}

Test(sign, claims_at_every_limit_round_trip)
{
    struct token_claims claims = plain_claims();

    fill(claims.booking_id, sizeof claims.booking_id, 'b');
    fill(claims.topic, sizeof claims.topic, '\\');
    fill(claims.prefix, sizeof claims.prefix, 'p');
    claims.scopes_count = TOKEN_SCOPES_MAX;
    claims.audiences_count = TOKEN_AUDIENCES_MAX;
    for (int i = 0; i < TOKEN_SCOPES_MAX; i++) {
        fill(claims.scopes[i], TOKEN_SCOPE_SIZE, 's');
    }
    for (int i = 0; i < TOKEN_AUDIENCES_MAX; i++) {
        fill(claims.audiences[i], TOKEN_TEXT_SIZE, 'a');
    }
    expect_round_trip(&claims);
}

Test(sign, awkward_texts_round_trip)
{
    static const char *const texts[] = {
        "a/b c",      "\"", "\\", "\x01\x1f\x7f", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x8e\xa5",
        "<script>&'", " ",  "{}", "null",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct token_claims claims = plain_claims();

        snprintf(claims.topic, sizeof claims.topic, "%s", texts[i]);
        snprintf(claims.booking_id, sizeof claims.booking_id, "%s", texts[i]);
        cr_assert(token_claims_add_scope(&claims, texts[i]));
        cr_assert(token_claims_add_audience(&claims, texts[i]));
        expect_round_trip(&claims);
    }
}

/* Escapes make the text six times as long: up to the last character that fits, then no more. */
Test(sign, never_issues_a_token_too_long_to_verify)
{
    struct token_keys *keys = token_keys_create("secret");
    struct token_claims claims = plain_claims();
    size_t longest = 0;
    enum token_result result = TOKEN_OK;

    claims.audiences_count = 3;
    for (int i = 0; i < 3; i++) {
        fill(claims.audiences[i], TOKEN_TEXT_SIZE, '\x01');
    }
    fill(claims.booking_id, sizeof claims.booking_id - 60, '\x01');
    for (int len = 0; result == TOKEN_OK && len < TOKEN_TEXT_SIZE - 1; len++) {
        struct token_claims back;
        char *text = NULL;

        claims.topic[len] = 't';
        result = token_sign(keys, &claims, &text);
        if (result == TOKEN_OK) {
            longest = strlen(text);
            cr_expect_eq(token_verify(keys, bytes_of_text(text), 950, &back), TOKEN_OK);
        }
        free(text);
    }
    cr_expect_eq(result, TOKEN_TOO_LONG);
    cr_expect_geq(longest, TOKEN_BYTES_MAX - 1);
    cr_expect_leq(longest, TOKEN_BYTES_MAX);
    token_keys_destroy(keys);
}

Test(sign, refuses_what_is_not_json_text)
{
    struct token_keys *keys = token_keys_create("secret");
    struct token_claims claims = plain_claims();
    char untouched[] = "untouched";
    char *text = untouched;

    snprintf(claims.topic, sizeof claims.topic, "%s", "\xff");
    cr_expect_eq(token_sign(keys, &claims, &text), TOKEN_MALFORMED);
    claims = plain_claims();
    claims.exp_s = INT64_MAX;
    cr_expect_eq(token_sign(keys, &claims, &text), TOKEN_MALFORMED);
    cr_expect_eq(text, untouched);
    token_keys_destroy(keys);
}

static int allocations_left;

static void *failing_malloc(size_t size)
{
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

Test(sign, reports_when_memory_runs_out)
{
    struct token_keys *keys = token_keys_create("secret");
    struct token_claims claims = plain_claims();
    enum token_result result = TOKEN_NO_MEMORY;
    char *text = NULL;

    snprintf(claims.topic, sizeof claims.topic, "%s", "topic");
    cr_assert(token_claims_add_scope(&claims, "read"));
    json_set_alloc_funcs(failing_malloc, free);
    allocations_left = 0;
    cr_expect_eq(token_sign(keys, &claims, &text), TOKEN_NO_MEMORY);
    for (int allocations = 0; result != TOKEN_OK && allocations < 1000; allocations++) {
        cr_expect_null(text);
        allocations_left = allocations;
        result = token_sign(keys, &claims, &text);
    }
    json_set_alloc_funcs(malloc, free);
    cr_expect_eq(result, TOKEN_OK);
    cr_expect_not_null(text);
    free(text);
    token_keys_destroy(keys);
}

static const char golden[] =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJib29raW5nX2lkIjoicmVsYXktbW9uaXRvciIsInRvcGljIjoiY2FuYXJ5LXN0LWRhdGEiLCJwcmVmaXgiOiJzZXNzaW"
    "9uIiwic2NvcGVzIjpbInJlYWQiLCJ3cml0ZSJdLCJhdWQiOlsiaHR0cHM6Ly9hcHAucHJhY3RhYmxlLmlvL2VkMC9hY2Nl"
    "c3MiXSwiZXhwIjoxNjU4MzA2MTA4LCJuYmYiOjE2NTgzMDYxMDcsImlhdCI6MTY1ODMwNjEwOH0."
    "ScP6fv_ddXs0iQ2WY6oMGafgTKv7bZsp_0sVbHe7CNY";

static const struct token_claims golden_claims = {
    .booking_id = "relay-monitor",
    .topic = "canary-st-data",
    .prefix = "session",
    .scopes = {"read", "write"},
    .scopes_count = 2,
    .audiences = {"https://app.practable.io/ed0/access"},
    .audiences_count = 1,
    .exp_s = 1658306108,
    .nbf_s = 1658306107,
    .iat_s = 1658306108,
};

Test(golden, signing_gives_the_exact_bytes)
{
    struct token_keys *keys = token_keys_create("xxx000");
    char *text = NULL;

    cr_assert_eq(token_sign(keys, &golden_claims, &text), TOKEN_OK);
    cr_expect_str_eq(text, golden);
    free(text);
    token_keys_destroy(keys);
}

Test(golden, verifying_gives_the_exact_claims)
{
    struct token_keys *keys = token_keys_create("xxx000");
    struct token_claims claims;

    cr_assert_eq(token_verify(keys, bytes_of_text(golden), 1658306107, &claims), TOKEN_OK);
    cr_expect_arr_eq(&claims, &golden_claims, sizeof claims);
    token_keys_destroy(keys);
}

Test(golden, every_changed_character_is_refused)
{
    struct token_keys *keys = token_keys_create("xxx000");

    for (size_t i = 0; i < sizeof golden - 1; i++) {
        char changed[sizeof golden];
        struct token_claims claims = {.exp_s = 42};

        memcpy(changed, golden, sizeof golden);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        cr_expect_neq(token_verify(keys, bytes_of_text(changed), 1658306107, &claims), TOKEN_OK,
                      "character %zu", i);
        cr_expect_eq(claims.exp_s, 42, "claims touched, character %zu", i);
    }
    token_keys_destroy(keys);
}

Test(golden, another_secret_is_refused)
{
    static const char *const secrets[] = {"xxx001", "xxx00", "xxx0000", "XXX000", "x"};

    for (size_t i = 0; i < ARRAY_LENGTH(secrets); i++) {
        struct token_keys *keys = token_keys_create(secrets[i]);
        struct token_claims claims;

        cr_expect_eq(token_verify(keys, bytes_of_text(golden), 1658306107, &claims),
                     TOKEN_BAD_SIGNATURE, "%s", secrets[i]);
        token_keys_destroy(keys);
    }
}
