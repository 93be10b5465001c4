/* Goal: a set holds exactly the keys that were added, in their order and under names that are
 * unique, and lives until its last user is done. Method: secrets added one by one; the bound is
 * reached. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/check.h"
#include "token/key.h"
#include "token/token_keys.h"

#define ALL_ALGORITHMS "HS256,HS384,HS512"

static struct token_keys *keys;
static char error[TOKEN_KEYS_ERROR_SIZE];

static void start(void)
{
    keys = token_keys_new();
    cr_assert_not_null(keys);
}

static void stop(void)
{
    token_keys_unref(keys);
}

TestSuite(token_keys, .init = start, .fini = stop);

static bool add(const char *secret, const char *id)
{
    return token_keys_add_secret(keys, bytes_of_text(secret), bytes_of_text(id), "file", error);
}

static unsigned keys_held(const struct token_keys *set)
{
    unsigned count = 0;

    while (token_keys_at(set, count) != NULL) {
        count++;
    }
    return count;
}

Test(token_keys, a_new_set_is_empty)
{
    cr_expect_eq(token_keys_count(keys), 0);
    cr_expect_null(token_keys_at(keys, 0));
}

Test(token_keys, one_secret_makes_a_set)
{
    struct token_keys *one = token_keys_create("secret");

    cr_assert_not_null(one);
    cr_expect_eq(token_keys_count(one), 1);
    cr_expect_eq(token_keys_at(one, 0)->algorithm, TOKEN_HS256);
    cr_expect_str_eq(token_keys_at(one, 0)->id, "");
    cr_expect_null(token_keys_at(one, 1));
    token_keys_destroy(one);
    cr_expect_null(token_keys_create(""));
}

Test(token_keys, keys_stay_in_order_under_their_names)
{
    cr_assert(add("one", "a") && add("two", "") && add("three", "") && add("four", "b"));
    cr_expect_eq(token_keys_count(keys), 4);
    cr_expect_str_eq(token_keys_at(keys, 0)->id, "a");
    cr_expect_str_eq(token_keys_at(keys, 1)->material, "two");
    cr_expect_str_eq(token_keys_at(keys, 2)->material, "three");
    cr_expect_str_eq(token_keys_at(keys, 3)->id, "b");
    cr_expect_str_eq(token_keys_at(keys, 3)->origin, "file");
}

Test(token_keys, a_name_is_taken_once)
{
    cr_assert(add("one", "a"));
    cr_expect(!add("two", "a"));
    cr_expect_str_eq(error, "file: the key a is already in file");
    cr_expect_eq(keys_held(keys), 1);
}

Test(token_keys, a_key_that_is_refused_is_released)
{
    struct key key;

    cr_assert(add("one", "a"));
    cr_assert_eq(key_init_secret(&key, bytes_of_text("two"), TOKEN_HS256), 0);
    cr_expect(!token_keys_add(keys, &key, bytes_of_text("a"), "other", error));
    cr_expect_null(key.material);
    cr_expect_str_eq(error, "other: the key a is already in file");
}

Test(token_keys, an_empty_secret_is_refused)
{
    cr_expect(!add("", "a"));
    cr_expect_str_eq(error, "file: the secret is empty or too long");
    cr_expect_eq(keys_held(keys), 0);
}

/* A kid belongs to the secret, for each of its algorithms; a full set is full of secrets. */
Test(token_keys, names_and_the_bound_count_secrets_not_algorithms)
{
    cr_assert(token_keys_choose_hmac(keys, ALL_ALGORITHMS, error));
    for (int i = 0; i < TOKEN_KEYS_MAX; i++) {
        char id[16], secret[16];

        snprintf(id, sizeof id, "k%d", i);
        snprintf(secret, sizeof secret, "s%d", i);
        cr_assert(add(secret, id), "%s", error);
    }
    cr_expect_eq(token_keys_count(keys), TOKEN_KEYS_MAX);
    cr_expect_eq(keys_held(keys), 3 * TOKEN_KEYS_MAX);
    for (unsigned i = 0; i < 3; i++) {
        cr_expect_str_eq(token_keys_at(keys, i)->id, "k0");
    }
    cr_expect(!add("x", ""));
    cr_expect_str_eq(error, "file: more than 32 keys");
}

Test(token_keys, two_secrets_of_one_name_are_refused_for_every_algorithm)
{
    cr_assert(token_keys_choose_hmac(keys, "HS384,HS512", error));
    cr_assert(add("one", "k"));
    cr_expect(!add("two", "k"));
    cr_expect_eq(keys_held(keys), 2);
}

Test(token_keys, algorithms_are_chosen_from_those_for_secrets)
{
    cr_expect(!token_keys_choose_hmac(keys, "HS256,EdDSA", error));
    cr_expect_not_null(strstr(error, "but is HS256,EdDSA"));
    cr_assert(token_keys_choose_hmac(keys, " HS512 ", error));
    cr_assert(add("one", ""));
    cr_expect_eq(token_keys_at(keys, 0)->algorithm, TOKEN_HS512);
    cr_expect_null(token_keys_at(keys, 1));
}

Test(token_keys, a_set_lives_until_its_last_user_is_done)
{
    cr_assert(add("one", ""));
    struct token_keys *second = token_keys_ref(keys);

    cr_expect_eq(second, keys);
    token_keys_unref(keys);
    cr_expect_str_eq(token_keys_at(second, 0)->material, "one");
    token_keys_unref(NULL);
}
