#include "base/options/options_markdown.h"

#include "base/check.h"

static void print_values(const struct option_spec *spec, FILE *out)
{
    char names[OPTION_CHOICES_SIZE];

    switch (spec->type) {
    case OPTION_TEXT:
    case OPTION_SECRET:
        fprintf(out, "text");
        return;
    case OPTION_BOOLEAN:
        fprintf(out, "true, false");
        return;
    case OPTION_GO_BOOLEAN:
        fprintf(out, "1, t, T, TRUE, true, True; else false");
        return;
    case OPTION_INTEGER:
        fprintf(out, "%lld…%lld", (long long)spec->min, (long long)spec->max);
        return;
    case OPTION_DURATION:
        fprintf(out, "%lld…%lld ms", (long long)spec->min, (long long)spec->max);
        return;
    case OPTION_CHOICE:
        option_choices_write(spec->choices, ", ", ", ", names, sizeof names);
        fprintf(out, "%s", names);
        return;
    }
    UNREACHABLE();
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
        print_values(spec, out);
        fprintf(out, " | %s |\n", spec->help);
    }
}
