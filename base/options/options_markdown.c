#include "base/options/options_markdown.h"

static void print_range(const struct option_spec *spec, FILE *out)
{
    if (spec->type == OPTION_INTEGER || spec->type == OPTION_DURATION) {
        fprintf(out, "%lld…%lld%s", (long long)spec->min, (long long)spec->max,
                spec->type == OPTION_DURATION ? " ms" : "");
    } else {
        fprintf(out, "%s",
                spec->type == OPTION_BOOLEAN      ? "true, false"
                : spec->type == OPTION_GO_BOOLEAN ? "1, t, T, TRUE, true, True; else false"
                                                  : "text");
    }
}

static void print_default(const struct option_spec *spec, FILE *out)
{
    if (spec->required) {
        fprintf(out, "required");
    } else if (spec->default_text != NULL && spec->default_text[0] != '\0') {
        fprintf(out, "`%s`", spec->default_text);
    }
}

void options_markdown_print(const struct option_table *table, FILE *out)
{
    fprintf(
        out,
        "| environment | flag | default | values | meaning |\n| --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < table->specs_count; i++) {
        const struct option_spec *spec = &table->specs[i];

        fprintf(out, "| `%s` | `--%s` | ", spec->env, spec->flag);
        print_default(spec, out);
        fprintf(out, " | ");
        print_range(spec, out);
        fprintf(out, " | %s |\n", spec->help);
    }
}
