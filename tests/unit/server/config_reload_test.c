/* Goal: after SIGHUP the options of the file are in effect, those that need a restart are named,
 * and a faulty file changes nothing. Method: a real file and log; the shared part of a server
 * without workers. */
#include "server/config_reload.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "server/config_table.h"

static struct conn_shared shared;
static struct server_config config;
static struct config_reload reload;
static struct config_source source;
static char file_path[64], log_path[80], flag[80], error[OPTIONS_ERROR_SIZE];
static char *argv[3];

static void write_file(const char *settings)
{
    FILE *file = fopen(file_path, "w");

    cr_assert_not_null(file);
    fprintf(file,
            "RELAY_AUDIENCE=https://a.example\nRELAY_URL=wss://r.example\nRELAY_SECRET=hush\n"
            "RELAY_LOG_FILE=%s\n%s",
            log_path, settings);
    cr_assert_eq(fclose(file), 0);
}

static void start(void)
{
    static char program[] = "serve";

    for (size_t i = 0; i < serve_option_table.specs_count; i++) {
        unsetenv(serve_option_table.specs[i].env);
    }
    snprintf(file_path, sizeof file_path, "/tmp/relay-config-test-%d", (int)getpid());
    snprintf(log_path, sizeof log_path, "%s.log", file_path);
    snprintf(flag, sizeof flag, "--config=%s", file_path);
    argv[0] = program;
    argv[1] = flag;
    source = (struct config_source){.argc = 2, .argv = argv};
    write_file("");
    cr_assert_eq(config_load(&source, &config, error), OPTIONS_OK, "%s", error);
    cr_assert_eq(config_complete(&config, error), 0, "%s", error);
    cr_assert_eq(log_open(log_path, LOG_LEVEL_WARN, LOG_FORMAT_JSON), 0);
    atomic_store(&shared.config, &config);
    atomic_store(&shared.access.cors_origins, config.cors_origins);
    config_reload_init(&reload, &source, &config, &shared);
}

static void finish(void)
{
    config_reload_deinit(&reload);
    options_release(&serve_option_table, &config);
    log_close();
    unlink(file_path);
    unlink(log_path);
}

TestSuite(config_reload, .init = start, .fini = finish);

static const char *logged(void)
{
    static char text[8192];
    FILE *file = fopen(log_path, "r");

    cr_assert_not_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

#define expect_logged(part) cr_assert_not_null(strstr(logged(), part), "%s", logged())

Test(config_reload, puts_changes_into_effect)
{
    struct sockaddr_storage address = {.ss_family = AF_INET};

    write_file("RELAY_CORS_ORIGINS=https://page.example\nRELAY_TRUSTED_PROXIES=0.0.0.0/0\n"
               "RELAY_WRITE_TIMEOUT=3s\nRELAY_LOG_LEVEL=info\n");
    cr_assert(!log_enabled(LOG_LEVEL_INFO));
    config_reload_now(&reload);
    const struct server_config *now = atomic_load(&shared.config);

    cr_assert_neq(now, &config);
    cr_assert_eq(now->write_timeout_ms, 3000);
    cr_assert_str_eq(atomic_load(&shared.access.cors_origins), "https://page.example");
    cr_assert(address_list_has(&now->trusted, &address));
    cr_assert(log_enabled(LOG_LEVEL_INFO));
    expect_logged("\"options\":\"RELAY_TRUSTED_PROXIES, RELAY_CORS_ORIGINS, RELAY_WRITE_TIMEOUT, "
                  "RELAY_LOG_LEVEL\"");
    expect_logged("options reloaded");
}

Test(config_reload, names_what_needs_a_restart_and_keeps_it)
{
    write_file("RELAY_PORT_ACCESS=4000\nRELAY_PING_INTERVAL=7s\n");
    config_reload_now(&reload);
    const struct server_config *now = atomic_load(&shared.config);

    cr_assert_eq(now->port_access, config.port_access);
    cr_assert_eq(now->ping_interval_ms, 7000);
    expect_logged("options that need a restart stay as they are");
    expect_logged("\"options\":\"RELAY_PORT_ACCESS\"");
}

Test(config_reload, takes_another_secret_and_does_not_tell_it)
{
    write_file("RELAY_SECRET=hush again\n");
    config_reload_now(&reload);
    cr_assert_str_eq(reload.config->secret, "hush again");
    expect_logged("options reloaded");
    expect_logged("\"options\":\"RELAY_SECRET\"");
    cr_assert_null(strstr(logged(), "hush"));
}

Test(config_reload, secret_of_a_file_is_named_by_the_file_only)
{
    char secret_path[96], settings[128];

    snprintf(secret_path, sizeof secret_path, "%s.secret", file_path);
    FILE *file = fopen(secret_path, "w");

    cr_assert_not_null(file);
    cr_assert_geq(fputs("hush of a file\n", file), 0);
    cr_assert_eq(fclose(file), 0);
    snprintf(settings, sizeof settings, "RELAY_SECRET_FILE=%s\n", secret_path);
    write_file(settings);
    config_reload_now(&reload);
    cr_assert_str_eq(reload.config->secret_file, secret_path);
    expect_logged("\"options\":\"RELAY_SECRET_FILE\"");
    cr_assert_null(strstr(logged(), "hush"));
    unlink(secret_path);
}

Test(config_reload, without_a_change_says_nothing)
{
    config_reload_now(&reload);
    cr_assert_eq(atomic_load(&shared.config), &config);
    cr_assert_str_eq(logged(), "");
}

Test(config_reload, faulty_file_changes_nothing_and_says_why)
{
    static const char *const cases[][2] = {
        {"RELAY_WRITE_TIMEOUT=soon\n", "cannot parse duration in RELAY_WRITE_TIMEOUT=soon"},
        {"RELAY_WRITE_TIMOUT=3s\n", "RELAY_WRITE_TIMOUT is no option"},
        {"RELAY_PING_INTERVAL=7s\nnonsense\n", ":6: expected NAME=value"},
        {"RELAY_TRUSTED_PROXIES=everyone\n", "RELAY_TRUSTED_PROXIES must be addresses"},
        {"RELAY_LOG_FILE=/nowhere/relay.log\nRELAY_PING_INTERVAL=7s\n",
         "cannot open RELAY_LOG_FILE=/nowhere/relay.log"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        write_file(cases[i][0]);
        config_reload_now(&reload);
        cr_assert_eq(atomic_load(&shared.config), &config, "%s", cases[i][0]);
        expect_logged("options not reloaded, the old ones stay in effect");
        expect_logged(cases[i][1]);
    }
    unlink(file_path);
    config_reload_now(&reload);
    cr_assert_eq(atomic_load(&shared.config), &config);
}

Test(config_reload, several_reloads_in_a_row)
{
    for (unsigned i = 1; i < 5; i++) {
        char settings[64];

        snprintf(settings, sizeof settings, "RELAY_PING_INTERVAL=%us\n", i);
        write_file(settings);
        config_reload_now(&reload);
        cr_assert_eq(atomic_load(&shared.config)->ping_interval_ms, 1000 * i);
    }
}
