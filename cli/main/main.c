#include <stdio.h>
#include <string.h>

#include "base/attributes.h"
#include "base/options/options_manual.h"
#include "base/options/options_markdown.h"
#include "base/version.h"
#include "cli/command.h"
#include "cli/option_tables.h"
#include "server/config.h"

static const struct command {
    const char *name;
    const char *help;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"serve", "run the relay: access API and WebSocket listeners", command_serve},
    {"token", "make an access token; token inspect explains one", command_token},
    {"client", "receive or exchange messages: client file, client pipe", command_client},
    {"monitor", "run a command when a relay stops responding in time", command_monitor},
    {"status", "show the connections of a relay", command_status},
    {"version", "print the version", command_version},
};

static void print_help(FILE *out)
{
    fprintf(out, "relay: live video and data from real machines to many people\n\n"
                 "Usage: relay COMMAND [options]\n\nCommands:\n");
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].help);
    }
    fprintf(out, "\nrelay COMMAND --help describes each command's options.\n");
}

static const struct option_table *const tables[] = {
    &serve_option_table,       &token_option_table,       &token_inspect_option_table,
    &client_file_option_table, &client_pipe_option_table, &monitor_option_table,
    &status_option_table};

/* Generates the tables of docs/operations.md, which a test compares. */
static int print_markdown(void)
{
    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
        printf("### %s\n\n", tables[i]->command);
        options_markdown_print(tables[i], stdout);
        printf("\n");
    }
    return 0;
}

/* Generates the installed manual pages: the page of "relay client file" and so on. */
static int print_manual(const char *command)
{
    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
        if (strcmp(tables[i]->command, command) == 0) {
            options_manual_print(tables[i], RELAY_VERSION, stdout);
            return 0;
        }
    }
    fprintf(stderr, "relay: no manual page for \"%s\"\n", command);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "help") == 0 && strcmp(argv[2], "--markdown") == 0) {
        return print_markdown();
    }
    if (argc > 3 && strcmp(argv[1], "help") == 0 && strcmp(argv[2], "--manual") == 0) {
        return print_manual(argv[3]);
    }
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    fprintf(stderr, "relay: unknown command \"%s\"; relay --help lists them\n", argv[1]);
    return 1;
}
