#include <string.h>

#include "cli/generate/completion.h"

/* Between single quotes; with what _arguments and _describe take for their own. */
static void print_escaped(const char *text, FILE *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs("'\\''", out);
            continue;
        }
        if (strchr("[]:\\", *text) != NULL) {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
}

static void print_option(const struct option_spec *spec, FILE *out)
{
    char text[OPTION_CHOICES_SIZE] = "";
    bool takes_value = catalogue_takes_value(spec);

    catalogue_brief(spec->help, text);
    fprintf(out, "      '--%s=%s[", spec->flag, takes_value ? "" : "-");
    print_escaped(text, out);
    if (spec->type == OPTION_CHOICE) {
        option_choices_write(spec->choices, " ", " ", text, sizeof text);
        fprintf(out, "]:value:(%s)' \\\n", text);
    } else {
        fprintf(out, "]%s' \\\n", takes_value ? ":value:_files" : "::value:(true false)");
    }
}

static void print_table(const struct option_table *table, FILE *out)
{
    const char *words = table->command + strlen("relay ");

    fprintf(out, "    ('%s')\n      _arguments \\\n", words);
    for (size_t i = 0; i < table->specs_count; i++) {
        print_option(&table->specs[i], out);
    }
    fprintf(out, "      '--help[Describe the command]' ;;\n");
}

static bool has_followers(const struct catalogue *catalogue, const char *command)
{
    for (size_t i = 0; i < catalogue->tables_count; i++) {
        if (catalogue_next(catalogue->tables[i], command) != NULL) {
            return true;
        }
    }
    return false;
}

static void print_following(const struct catalogue *catalogue, const char *name, FILE *out)
{
    char command[CATALOGUE_TEXT_SIZE];

    snprintf(command, sizeof command, "relay %s", name);
    if (!has_followers(catalogue, command)) {
        return;
    }
    fprintf(out, "    (%s)\n      following=(", name);
    for (size_t i = 0; i < catalogue->tables_count; i++) {
        const char *next = catalogue_next(catalogue->tables[i], command);

        if (next != NULL) {
            fprintf(out, "'%s:", next);
            print_escaped(catalogue->tables[i]->summary, out);
            fprintf(out, "' ");
        }
    }
    fprintf(out, ") ;;\n");
}

static void print_commands(const struct catalogue *catalogue, FILE *out)
{
    fprintf(out, "  commands=(\n");
    for (size_t i = 0; i < catalogue->commands_count; i++) {
        fprintf(out, "    '%s:", catalogue->commands[i].name);
        print_escaped(catalogue->commands[i].help, out);
        fprintf(out, "'\n");
    }
    fprintf(out, "  )\n");
}

void completion_zsh_print(const struct catalogue *catalogue, FILE *out)
{
    fprintf(out, "#compdef relay\n"
                 "# Completion of relay for zsh, made from the tables behind relay --help.\n"
                 "_relay() {\n"
                 "  local -a commands following\n"
                 "  local command\n");
    print_commands(catalogue, out);
    fprintf(out, "  if (( CURRENT == 2 )); then\n"
                 "    _describe command commands\n"
                 "    return\n"
                 "  fi\n"
                 "  case $words[2] in\n");
    for (size_t i = 0; i < catalogue->commands_count; i++) {
        print_following(catalogue, catalogue->commands[i].name, out);
    }
    fprintf(out, "  esac\n"
                 "  if (( CURRENT == 3 && $#following )) && [[ $words[3] != -* ]]; then\n"
                 "    _describe command following\n"
                 "    return\n"
                 "  fi\n"
                 "  command=$words[2]\n"
                 "  # A second word of the command.\n"
                 "  if [[ -n ${following[(r)${words[3]}:*]} ]]; then\n"
                 "    command+=\" $words[3]\"\n"
                 "    shift words\n"
                 "    (( CURRENT-- ))\n"
                 "  fi\n"
                 "  shift words\n"
                 "  (( CURRENT-- ))\n"
                 "  case $command in\n");
    for (size_t i = 0; i < catalogue->tables_count; i++) {
        print_table(catalogue->tables[i], out);
    }
    fprintf(out, "  esac\n}\n_relay \"$@\"\n");
}
