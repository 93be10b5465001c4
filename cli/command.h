/* The subcommands of relay, one file each; main/main.c holds the table. Each parses its own
 * options, prints one-line errors and returns the exit status of the process. argv[0] is its own
 * name. */
#pragma once

struct command {
    const char *name;
    const char *help;
    int (*run)(int argc, char **argv);
};

int command_serve(int argc, char **argv);
int command_token(int argc, char **argv);
int command_client(int argc, char **argv); /* client file, pipe, record */
int command_client_record(int argc, char **argv);
int command_host(int argc, char **argv);
int command_monitor(int argc, char **argv);
int command_status(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_top(int argc, char **argv);
int command_version(int argc, char **argv);
