/* Goal: tokens are byte for byte those that practable's tools issue and accept. Method: the token
 * of practable/relay's own monitor test (secret xxx000), in both directions, and the order of
 * claims. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "token/token.h"

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
