#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "server/server.h"

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static bool has_keys(const struct server_config *config)
{
    return is_set(config->secret) || is_set(config->secrets_file) || is_set(config->public_keys);
}

/* Errors in options go bare to standard output, like missing options, where scripts look for
 * them. */
static void complain(const char *error)
{
    printf("%s\n", error);
}

static int serve(struct server_config *config)
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
    return missing > 0 ? 1 : server_run(config);
}

int command_serve(int argc, char **argv)
{
    struct server_config config = {0};
    char error[OPTIONS_ERROR_SIZE];
    int status = 1;

    switch (options_parse(&serve_option_table, argc, argv, &config, error)) {
    case OPTIONS_HELP:
        return 0;
    case OPTIONS_ERROR:
        complain(error);
        break;
    case OPTIONS_OK:
        status = serve(&config);
        break;
    }
    options_release(&serve_option_table, &config);
    return status;
}
