#include "base/options/options_manual.h"

#include "base/options/options_help.h"

/* Text as roff takes it: no character of it is an instruction. */
static void print_roff(const char *text, FILE *out)
{
    bool at_line_start = true;

    for (; *text != '\0'; text++) {
        if (at_line_start && (*text == '.' || *text == '\'')) {
            fputs("\\&", out);
        }
        if (*text == '\\') {
            fputs("\\e", out);
        } else if (*text == '-') {
            fputs("\\-", out);
        } else {
            fputc(*text, out);
        }
        at_line_start = *text == '\n';
    }
    fputc('\n', out);
}

static void print_option(const struct option_spec *spec, FILE *out)
{
    fprintf(out, ".TP\n\\fB\\-\\-%s\\fR \\fI", spec->flag);
    options_help_print_values(spec, out);
    fprintf(out, "\\fR, \\fB%s\\fR\n", spec->env == NULL ? "" : spec->env);
    print_roff(spec->help, out);
    if (spec->required) {
        fprintf(out, "Required.\n");
    } else if (spec->default_text != NULL && spec->default_text[0] != '\0') {
        fprintf(out, "Default: ");
        print_roff(spec->default_text, out);
    }
}

/* "relay client file" as one word: the name of its page. */
static void print_name(const char *command, FILE *out)
{
    for (; *command != '\0'; command++) {
        fputs(*command == ' ' ? "\\-" : (char[]){*command, '\0'}, out);
    }
}

void options_manual_print(const struct option_table *table, const char *version, FILE *out)
{
    fprintf(out, ".TH \"");
    print_name(table->command, out);
    fprintf(out, "\" 1 \"\" \"relay %s\" \"User Commands\"\n.SH NAME\n", version);
    print_name(table->command, out);
    fprintf(out, " \\- ");
    print_roff(table->summary, out);
    fprintf(out, ".SH SYNOPSIS\n.B ");
    print_roff(table->command, out);
    fprintf(out, "[options]\n.SH DESCRIPTION\n");
    print_roff(table->synopsis, out);
    fprintf(out, ".SH OPTIONS\nBy environment variable or flag; flags win.\n");
    for (size_t i = 0; i < table->specs_count; i++) {
        print_option(&table->specs[i], out);
    }
    fprintf(out, ".SH EXIT STATUS\n0 after success, another number after an error, which is said "
                 "in one line.\n.SH SEE ALSO\n.BR relay (1)\n");
}
