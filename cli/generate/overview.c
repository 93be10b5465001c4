#include "cli/generate/overview.h"

static void print_escaped(const char *text, FILE *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '-' || *text == '\\') {
            fputc('\\', out);
        }
        fputc(*text == '\\' ? 'e' : *text, out);
    }
}

static void print_commands(const struct catalogue *catalogue, FILE *out)
{
    for (size_t i = 0; i < catalogue->commands_count; i++) {
        fprintf(out, ".TP\n.B %s\n", catalogue->commands[i].name);
        print_escaped(catalogue->commands[i].help, out);
        fputc('\n', out);
    }
}

static void print_pages(const struct catalogue *catalogue, FILE *out)
{
    for (size_t i = 0; i < catalogue->tables_count; i++) {
        fprintf(out, ".BR ");
        for (const char *name = catalogue->tables[i]->command; *name != '\0'; name++) {
            fputs(*name == ' ' ? "\\-" : (char[]){*name, '\0'}, out);
        }
        fprintf(out, " (1),\n");
    }
    fprintf(out, ".BR relaysink (7),\n.BR relaysrc (7)\n");
}

void overview_print(const struct catalogue *catalogue, const char *version, FILE *out)
{
    fprintf(out,
            ".TH relay 1 \"\" \"relay %s\" \"User Commands\"\n.SH NAME\n"
            "relay \\- live video and data from real machines to many people\n"
            ".SH SYNOPSIS\n.B relay\n.I COMMAND\n[options]\n.SH DESCRIPTION\n"
            "A camera or an instrument publishes to a topic; every client that may read the topic "
            "receives its messages at once, over WebSockets. A signed token holds the permissions: "
            "it is exchanged for a one\\-time code, and the code opens the WebSocket.\n"
            ".SH COMMANDS\n",
            version);
    print_commands(catalogue, out);
    fprintf(out, ".SH ENVIRONMENT\nEach option of a command is an environment variable too; the "
                 "command's page names both. Flags win.\n.SH SEE ALSO\n");
    print_pages(catalogue, out);
}
