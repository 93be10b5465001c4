/* Goal: a reload replaces the keys only when all of them are good, and says which of both happened.
 * Method: a file of secrets is rewritten between reloads; the log goes to a file beside it. */
#include "server/key_reload.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/log_file.h"

static char folder[] = "/tmp/relay-key-reload-test-XXXXXX";
static char secrets_path[64], log_path[64];
static struct server_config config;
static struct key_reload reload;
static char error[TOKEN_KEYS_ERROR_SIZE];

static void secrets_write(const char *text)
{
    FILE *file = fopen(secrets_path, "w");

    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

static void start(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(secrets_path, sizeof secrets_path, "%s/secrets", folder);
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    cr_assert_eq(log_open(log_path, LOG_LEVEL_WARN, LOG_FORMAT_JSON), 0);
    config = (struct server_config){.secrets_file = secrets_path};
    reload = (struct key_reload){0};
}

static void stop(void)
{
    key_reload_deinit(&reload);
    unlink(secrets_path);
    unlink(log_path);
    rmdir(folder);
}

TestSuite(key_reload, .init = start, .fini = stop);

static unsigned keys_count(void)
{
    struct token_keys *keys = token_keys_slot_get(&reload.slot);
    unsigned count = token_keys_count(keys);

    token_keys_unref(keys);
    return count;
}

static void expect_logged(const char *message)
{
    cr_expect(log_file_has(log_path, message), "the log does not say \"%s\"", message);
    cr_expect_not(log_file_has(log_path, "hush"), "a secret is in the log");
}

Test(key_reload, reads_all_sources_of_the_configuration)
{
    secrets_write("a hush-1\nb hush-2\n");
    config.secret = (char[]){"hush-3"};
    config.hmac_algorithms = (char[]){"HS256,HS512"};
    cr_assert_eq(key_reload_init(&reload, &config, error), 0, "%s", error);
    cr_expect_eq(keys_count(), 3);
}

Test(key_reload, without_keys_does_not_start)
{
    config.secrets_file = NULL;
    cr_expect_eq(key_reload_init(&reload, &config, error), -EINVAL);
    cr_expect_neq(error[0], '\0');
    cr_expect_null(reload.slot.keys);
    key_reload_deinit(&reload);
}

Test(key_reload, replaces_the_keys_and_says_how_many)
{
    secrets_write("a hush-1\n");
    cr_assert_eq(key_reload_init(&reload, &config, error), 0, "%s", error);
    struct token_keys *old = token_keys_slot_get(&reload.slot);

    secrets_write("a hush-1\nb hush-2\n");
    key_reload_now(&reload, &config);
    cr_expect_eq(keys_count(), 2);
    cr_expect_eq(token_keys_count(old), 1, "a verifier in progress keeps its keys");
    token_keys_unref(old);
    expect_logged("\"msg\":\"keys reloaded\"");
    expect_logged("\"keys\":2");
}

Test(key_reload, keeps_the_old_keys_when_the_new_ones_are_bad)
{
    secrets_write("a hush-1\nb hush-2\n");
    cr_assert_eq(key_reload_init(&reload, &config, error), 0, "%s", error);
    secrets_write("a hush-1\na hush-2\n");
    key_reload_now(&reload, &config);
    cr_expect_eq(keys_count(), 2);
    expect_logged("keys not reloaded, the old ones stay in use");
    unlink(secrets_path);
    key_reload_now(&reload, &config);
    cr_expect_eq(keys_count(), 2);
    expect_logged("No such file");
}

Test(key_reload, takes_the_keys_of_the_options_that_are_in_effect_now)
{
    struct server_config other = {.secret = (char[]){"hush-3"}};

    secrets_write("a hush-1\nb hush-2\n");
    cr_assert_eq(key_reload_init(&reload, &config, error), 0, "%s", error);
    key_reload_now(&reload, &other);
    cr_expect_eq(keys_count(), 1);
    expect_logged("keys reloaded");
    other.secret = NULL;
    key_reload_now(&reload, &other);
    cr_expect_eq(keys_count(), 1);
    expect_logged("no key is configured");
}
