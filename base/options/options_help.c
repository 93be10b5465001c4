#include "base/options/options_help.h"

#include "base/check.h"

static const char *value_name(enum option_type type)
{
    switch (type) {
    case OPTION_TEXT:
        return "TEXT";
    case OPTION_SECRET:
        return "SECRET";
    case OPTION_BOOLEAN:
    case OPTION_GO_BOOLEAN:
        return "true|false";
    case OPTION_INTEGER:
        return "N";
    case OPTION_DURATION:
        return "DURATION";
    }
    UNREACHABLE();
}

void options_help_print_values(const struct option_spec *spec, FILE *out)
{
    fputs(value_name(spec->type), out);
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
