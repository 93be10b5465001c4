#include "base/options/options_help.h"

#include "base/check.h"

void options_help_print_values(const struct option_spec *spec, FILE *out)
{
    char names[OPTION_CHOICES_SIZE];

    switch (spec->type) {
    case OPTION_TEXT:
        fputs("TEXT", out);
        return;
    case OPTION_SECRET:
        fputs("SECRET", out);
        return;
    case OPTION_BOOLEAN:
    case OPTION_GO_BOOLEAN:
        fputs("true|false", out);
        return;
    case OPTION_INTEGER:
        fputs("N", out);
        return;
    case OPTION_DURATION:
        fputs("DURATION", out);
        return;
    case OPTION_CHOICE:
        option_choices_write(spec->choices, "|", "|", names, sizeof names);
        fputs(names, out);
        return;
    }
    UNREACHABLE();
}

static void print_option(const struct option_spec *spec, FILE *out)
{
    fprintf(out, "\n  --%s ", spec->flag);
    options_help_print_values(spec, out);
    fprintf(out, "\n  %s\n      %s\n", spec->env, spec->help);
    if (spec->required) {
        fprintf(out, "      Required.\n");
    } else if (spec->default_text != NULL) {
        fprintf(out, "      Default: %s\n",
                spec->default_text[0] == '\0' ? "(empty)" : spec->default_text);
    }
}

void options_help_print(const struct option_table *table, FILE *out)
{
    fprintf(out,
            "Usage: %s [options]\n\n%s\n\nOptions, by environment variable or flag (flags win):\n",
            table->command, table->synopsis);
    for (size_t i = 0; i < table->specs_count; i++) {
        print_option(&table->specs[i], out);
    }
}
