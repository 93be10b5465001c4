#include "cli/generate/completion.h"

static const char head[] =
    "# Completion of relay for bash, made from the tables behind relay --help.\n"
    "_relay()\n"
    "{\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=relay\n"
    "    local i words=\n"
    "    COMPREPLY=()\n"
    "    # --flag=value is three words here.\n"
    "    if [[ $cur == = ]]; then\n"
    "        cur= prev+==\n"
    "    elif [[ $prev == = ]]; then\n"
    "        prev=${COMP_WORDS[COMP_CWORD - 2]}=\n"
    "    fi\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        [[ ${COMP_WORDS[i]} == -* ]] && break\n"
    "        command+=\" ${COMP_WORDS[i]}\"\n"
    "    done\n"
    "    case \"$command $prev\" in\n";

static const char middle[] = "    esac\n"
                             "    if [[ -n $words ]]; then\n"
                             "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                             "        return\n"
                             "    fi\n"
                             "    case $command in\n";

static const char tail[] = "    esac\n"
                           "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                           "}\n"
                           "complete -o default -F _relay relay\n";

/* The shell offers names of files for other values, by -o default. */
static void print_values(const struct option_table *table, const struct option_spec *spec,
                         FILE *out)
{
    char names[OPTION_CHOICES_SIZE] = "";
    const char *command = table->command;

    if (!catalogue_takes_value(spec)) {
        fprintf(out, "    \"%s --%s=\") words='true false' ;;\n", command, spec->flag);
        return;
    }
    fprintf(out, "    \"%s --%s\" | \"%s --%s=\") ", command, spec->flag, command, spec->flag);
    if (spec->type == OPTION_CHOICE) {
        option_choices_write(spec->choices, " ", " ", names, sizeof names);
        fprintf(out, "words='%s' ;;\n", names);
    } else {
        fprintf(out, "return ;;\n");
    }
}

static void print_following(const struct catalogue *catalogue, const char *command, FILE *out)
{
    for (size_t i = 0; i < catalogue->tables_count; i++) {
        const char *next = catalogue_next(catalogue->tables[i], command);

        if (next != NULL) {
            fprintf(out, "%s ", next);
        }
    }
}

static void print_words(const struct catalogue *catalogue, const struct option_table *table,
                        FILE *out)
{
    fprintf(out, "    \"%s\") words='", table->command);
    print_following(catalogue, table->command, out);
    for (size_t i = 0; i < table->specs_count; i++) {
        fprintf(out, "--%s ", table->specs[i].flag);
    }
    fprintf(out, "--help' ;;\n");
}

/* Commands without options of their own, such as relay client. */
static void print_parents(const struct catalogue *catalogue, FILE *out)
{
    for (size_t i = 0; i < catalogue->commands_count; i++) {
        const char *name = catalogue->commands[i].name;
        char command[CATALOGUE_TEXT_SIZE];

        if (catalogue_find(catalogue, name) == NULL) {
            snprintf(command, sizeof command, "relay %s", name);
            fprintf(out, "    \"%s\") words='", command);
            print_following(catalogue, command, out);
            fprintf(out, "--help' ;;\n");
        }
    }
}

void completion_bash_print(const struct catalogue *catalogue, FILE *out)
{
    fputs(head, out);
    for (size_t i = 0; i < catalogue->tables_count; i++) {
        for (size_t k = 0; k < catalogue->tables[i]->specs_count; k++) {
            print_values(catalogue->tables[i], &catalogue->tables[i]->specs[k], out);
        }
    }
    fputs(middle, out);
    fprintf(out, "    relay) words='");
    for (size_t i = 0; i < catalogue->commands_count; i++) {
        fprintf(out, "%s ", catalogue->commands[i].name);
    }
    fprintf(out, "--help' ;;\n");
    for (size_t i = 0; i < catalogue->tables_count; i++) {
        print_words(catalogue, catalogue->tables[i], out);
    }
    print_parents(catalogue, out);
    fputs(tail, out);
}
