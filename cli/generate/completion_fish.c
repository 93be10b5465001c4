#include <string.h>

#include "cli/generate/completion.h"

/* Between single quotes. */
static void print_quoted(const char *text, FILE *out)
{
    fputc('\'', out);
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\') {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
    fputc('\'', out);
}

/* The condition that all words of a command have been seen, and none that would follow. */
static void print_condition(const struct catalogue *catalogue, const char *command, FILE *out)
{
    char words[CATALOGUE_TEXT_SIZE];
    const char *between = "";
    char *rest = words;

    snprintf(words, sizeof words, "%s", command + strlen("relay "));
    fprintf(out, "complete -c relay -n '");
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        fprintf(out, "%s__fish_seen_subcommand_from %s", between, word);
        between = "; and ";
    }
    for (size_t i = 0; i < catalogue->tables_count; i++) {
        const char *next = catalogue_next(catalogue->tables[i], command);

        if (next != NULL) {
            fprintf(out, "; and not __fish_seen_subcommand_from %s", next);
        }
    }
    fprintf(out, "'");
}

static void print_option(const struct option_spec *spec, FILE *out)
{
    char text[OPTION_CHOICES_SIZE] = "";

    fprintf(out, " -l %s", spec->flag);
    if (spec->type == OPTION_CHOICE) {
        option_choices_write(spec->choices, " ", " ", text, sizeof text);
        fprintf(out, " -x -a '%s'", text);
    } else if (catalogue_takes_value(spec)) {
        fprintf(out, " -r -F");
    }
    catalogue_brief(spec->help, text);
    fprintf(out, " -d ");
    print_quoted(text, out);
    fputc('\n', out);
}

static void print_following(const struct catalogue *catalogue, const char *command, FILE *out)
{
    for (size_t i = 0; i < catalogue->tables_count; i++) {
        const char *next = catalogue_next(catalogue->tables[i], command);

        if (next != NULL) {
            print_condition(catalogue, command, out);
            fprintf(out, " -a %s -d ", next);
            print_quoted(catalogue->tables[i]->summary, out);
            fputc('\n', out);
        }
    }
}

static void print_commands(const struct catalogue *catalogue, FILE *out)
{
    for (size_t i = 0; i < catalogue->commands_count; i++) {
        char command[CATALOGUE_TEXT_SIZE];

        fprintf(out, "complete -c relay -n __fish_use_subcommand -a %s -d ",
                catalogue->commands[i].name);
        print_quoted(catalogue->commands[i].help, out);
        fputc('\n', out);
        snprintf(command, sizeof command, "relay %s", catalogue->commands[i].name);
        print_following(catalogue, command, out);
    }
}

void completion_fish_print(const struct catalogue *catalogue, FILE *out)
{
    fprintf(out, "# Completion of relay for fish, made from the tables behind relay --help.\n"
                 "complete -c relay -f\n"
                 "complete -c relay -l help -d 'Describe the command'\n");
    print_commands(catalogue, out);
    for (size_t i = 0; i < catalogue->tables_count; i++) {
        for (size_t k = 0; k < catalogue->tables[i]->specs_count; k++) {
            print_condition(catalogue, catalogue->tables[i]->command, out);
            print_option(&catalogue->tables[i]->specs[k], out);
        }
    }
}
