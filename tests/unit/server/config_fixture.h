/* Command lines through the option table of relay serve, into one configuration. */
#pragma once

#include <stdint.h>
#include <stdlib.h>

#include "base/options/options.h"
#include "server/config.h"
#include "server/config_table.h"

static struct server_config config;
static char error[OPTIONS_ERROR_SIZE];

/* Options come from the environment too: only ours may count. */
static inline void clear_environment(void)
{
    for (size_t i = 0; i < serve_option_table.specs_count; i++) {
        unsetenv(serve_option_table.specs[i].env);
    }
    config = (struct server_config){0};
    error[0] = '\0';
}

static inline void release_config(void)
{
    options_release(&serve_option_table, &config);
}

/* Flags after the required ones; a list that ends with NULL. */
static inline enum options_result parse(const char *const *flags)
{
    char *argv[32] = {(char *)(uintptr_t) "relay serve",
                      (char *)(uintptr_t) "--audience=https://a.example",
                      (char *)(uintptr_t) "--url=wss://r.example"};
    int argc = 3;

    for (; flags != NULL && *flags != NULL; flags++) {
        argv[argc++] = (char *)(uintptr_t)*flags;
    }
    options_release(&serve_option_table, &config);
    config = (struct server_config){0};
    return options_parse(&serve_option_table, argc, argv, &config, error);
}

static inline enum options_result parse_one(const char *flag)
{
    const char *const flags[] = {flag, NULL};

    return parse(flags);
}
