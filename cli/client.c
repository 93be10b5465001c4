#include <stdio.h>
#include <string.h>

#include "cli/client_tool.h"
#include "cli/command.h"

static const struct interface {
    const char *name;
    const char *help;
    int (*run)(int argc, char **argv);
} interfaces[] = {
    {"file", "write the messages of a session to a file", command_client_file},
    {"pipe", "lines of standard input become messages, messages become lines of standard output",
     command_client_pipe},
    {"record", "write the video of a session to files that play", command_client_record},
};

static void print_help(void)
{
    printf("Connects to a session of a relay.\n\nUsage: relay client INTERFACE [options]\n\n"
           "Interfaces:\n");
    for (size_t i = 0; i < ARRAY_LENGTH(interfaces); i++) {
        printf("  %-6s %s\n", interfaces[i].name, interfaces[i].help);
    }
    printf("\nrelay client INTERFACE --help describes each interface's options.\n");
}

int command_client(int argc, char **argv)
{
    if (argc < 2) {
        printf("error: you must specify an interface e.g. file, or -h (help)\n");
        return 0;
    }
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
        print_help();
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(interfaces); i++) {
        if (strcmp(argv[1], interfaces[i].name) == 0) {
            return interfaces[i].run(argc - 1, argv + 1);
        }
    }
    fprintf(stderr, "relay client: unknown interface \"%s\"; relay client --help lists them\n",
            argv[1]);
    return CLIENT_TOOL_CONFIG;
}
