#include <stdio.h>
#include <string.h>

#include "base/attributes.h"
#include "base/options/options_manual.h"
#include "base/options/options_markdown.h"
#include "base/version.h"
#include "cli/command.h"
#include "cli/generate/completion.h"
#include "cli/generate/overview.h"
#include "cli/option_tables.h"
#include "server/config_table.h"

static const struct command commands[] = {
#if RELAY_WITH_SERVER
    {.name = "serve",
     .help = "run the relay: access API and WebSocket listeners",
     .run = command_serve},
    {.name = "token",
     .help = "make an access token; token inspect explains one",
     .run = command_token},
#endif
    {.name = "client",
     .help = "receive or exchange messages: client file, pipe, record",
     .run = command_client},
#if RELAY_WITH_HOST
    {.name = "host",
     .help = "run an experiment's side: cameras and programs, connected to relays",
     .run = command_host},
#endif
#if RELAY_WITH_SERVER
    {.name = "monitor",
     .help = "run a command when a relay stops responding in time",
     .run = command_monitor},
    {.name = "doctor",
     .help = "find out what keeps a relay from working, and the cure",
     .run = command_doctor},
#endif
    {.name = "status", .help = "show the connections of a relay", .run = command_status},
    {.name = "top",
     .help = "see what topics and connections of a relay do right now",
     .run = command_top},
    {.name = "version", .help = "print the version", .run = command_version},
};

/* Commands that the build was configured without. */
static const struct {
    const char *name, *cause;
} left_out[] = {
#if !RELAY_WITH_SERVER
    {"serve", "the server wants a machine of 64 bits, and RELAY_SERVER=ON"},
    {"token", "it is made with RELAY_SERVER=ON"},
    {"monitor", "it is made with RELAY_SERVER=ON"},
    {"doctor", "it is made with RELAY_SERVER=ON"},
#endif
#if !RELAY_WITH_HOST
    {"host", "it is made with RELAY_HOST=ON"},
#endif
    {NULL, NULL},
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
#if RELAY_WITH_SERVER
    &serve_option_table,       &token_option_table,       &token_inspect_option_table,
#endif
    &client_file_option_table, &client_pipe_option_table, &client_record_option_table,
#if RELAY_WITH_HOST
    &host_option_table,
#endif
#if RELAY_WITH_SERVER
    &monitor_option_table,     &doctor_option_table,
#endif
    &status_option_table,      &top_option_table,
};

static const struct catalogue catalogue = {.commands = commands,
                                           .commands_count = ARRAY_LENGTH(commands),
                                           .tables = tables,
                                           .tables_count = ARRAY_LENGTH(tables)};

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

/* Generates the installed manual pages: "relay", and the page of "relay client file" and so on. */
static int print_manual(const char *command)
{
    if (strcmp(command, "relay") == 0) {
        overview_print(&catalogue, RELAY_VERSION, stdout);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
        if (strcmp(tables[i]->command, command) == 0) {
            options_manual_print(tables[i], RELAY_VERSION, stdout);
            return 0;
        }
    }
    fprintf(stderr, "relay: no manual page for \"%s\"\n", command);
    return 1;
}

/* Generates the installed completion. */
static int print_completion(const char *shell)
{
    static const struct {
        const char *name;
        void (*print)(const struct catalogue *catalogue, FILE *out);
    } shells[] = {{"bash", completion_bash_print},
                  {"zsh", completion_zsh_print},
                  {"fish", completion_fish_print}};

    for (size_t i = 0; i < ARRAY_LENGTH(shells); i++) {
        if (strcmp(shells[i].name, shell) == 0) {
            shells[i].print(&catalogue, stdout);
            return 0;
        }
    }
    fprintf(stderr, "relay: no completion for \"%s\": bash, zsh or fish\n", shell);
    return 1;
}

/* Prints what is made from the tables: relay help --manual "relay serve", for example. False: not
 * asked for. */
static bool generate(int argc, char **argv, int *ret_status)
{
    if (argc < 3 || strcmp(argv[1], "help") != 0) {
        return false;
    }
    if (strcmp(argv[2], "--markdown") == 0) {
        *ret_status = print_markdown();
        return true;
    }
    if (argc > 3 && strcmp(argv[2], "--manual") == 0) {
        *ret_status = print_manual(argv[3]);
        return true;
    }
    if (argc > 3 && strcmp(argv[2], "--completion") == 0) {
        *ret_status = print_completion(argv[3]);
        return true;
    }
    return false;
}

static int say_unknown(const char *name)
{
    for (size_t i = 0; left_out[i].name != NULL; i++) {
        if (strcmp(left_out[i].name, name) == 0) {
            fprintf(stderr, "relay: this build has no \"%s\": %s\n", name, left_out[i].cause);
            return 1;
        }
    }
    fprintf(stderr, "relay: unknown command \"%s\"; relay --help lists them\n", name);
    return 1;
}

int main(int argc, char **argv)
{
    int status;

    if (generate(argc, argv, &status)) {
        return status;
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
    return say_unknown(argv[1]);
}
