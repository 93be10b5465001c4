#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "cli/command.h"
#include "server/config_table.h"
#include "server/server.h"

static bool has_keys(const struct server_config *config)
{
    return !text_is_empty(config->secret) || !text_is_empty(config->secrets_file) ||
           !text_is_empty(config->public_keys);
}

/* Errors in options go bare to standard output, like missing options, where scripts look for
 * them. */
static void complain(const char *error)
{
    printf("%s\n", error);
}

static int check(const struct server_config *config)
{
    int status = server_check(config);

    if (status == 0) {
        printf("the configuration is valid\n");
    }
    return status;
}

static int serve(struct server_config *config, const struct config_source *source)
{
    char error[OPTIONS_ERROR_SIZE];

    if (config_complete(config, error) != 0) {
        complain(error);
        return 1;
    }
    unsigned missing =
        options_report_missing(&serve_option_table, config, "You must set ", "", stdout);

    if (!has_keys(config)) {
        printf("You must set RELAY_SECRET\n");
        missing++;
    }
    if (missing > 0) {
        return 1;
    }
    return config->check_config ? check(config) : server_run(config, source);
}

int command_serve(int argc, char **argv)
{
    struct server_config config = {0};
    char error[OPTIONS_ERROR_SIZE];
    const struct config_source source = {.argc = argc, .argv = argv};
    int status = 1;

    switch (config_load(&source, &config, error)) {
    case OPTIONS_HELP:
        return 0;
    case OPTIONS_ERROR:
    case OPTIONS_REFUSED:
        complain(error);
        break;
    case OPTIONS_OK:
        status = serve(&config, &source);
        break;
    }
    options_release(&serve_option_table, &config);
    return status;
}
