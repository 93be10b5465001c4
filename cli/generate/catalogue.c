#include "cli/generate/catalogue.h"

#include <stdio.h>
#include <string.h>

/* Up to where a sentence, or its first part, ends. */
void catalogue_brief(const char *help, char text[static CATALOGUE_TEXT_SIZE])
{
    static const char *const ends[] = {". ", "; ", ": ", " ("};
    size_t len = strlen(help);

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const char *end = strstr(help, ends[i]);

        if (end != NULL && (size_t)(end - help) < len) {
            len = (size_t)(end - help);
        }
    }
    if (len > 0 && help[len - 1] == '.') {
        len--;
    }
    if (len >= CATALOGUE_TEXT_SIZE) {
        len = CATALOGUE_TEXT_SIZE - 1;
        while (len > 0 && help[len] != ' ') {
            len--; /* no word is cut in two */
        }
    }
    snprintf(text, CATALOGUE_TEXT_SIZE, "%.*s", (int)len, help);
}

const char *catalogue_next(const struct option_table *table, const char *first)
{
    size_t len = strlen(first);

    return strncmp(table->command, first, len) == 0 && table->command[len] == ' '
               ? table->command + len + 1
               : NULL;
}

const struct option_table *catalogue_find(const struct catalogue *catalogue, const char *name)
{
    for (size_t i = 0; i < catalogue->tables_count; i++) {
        const char *rest = catalogue_next(catalogue->tables[i], "relay");

        if (rest != NULL && strcmp(rest, name) == 0) {
            return catalogue->tables[i];
        }
    }
    return NULL;
}

bool catalogue_takes_value(const struct option_spec *spec)
{
    return spec->type != OPTION_BOOLEAN && spec->type != OPTION_GO_BOOLEAN;
}
