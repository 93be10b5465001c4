/* The names that an option can be, and what each stands for. Constant data, any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct option_choice {
    const char *name;
    int value;
    bool is_alias; /* accepted, but not listed */
};

struct option_choices {
    const struct option_choice *list;
    size_t count;
    bool ignores_case;
    bool has_old_words; /* a refusal says "can be a or b but not c", as practable/relay does */
};

/* False, and *ret_value stays, when no choice has this name. */
bool option_choices_find(const struct option_choices *choices, const char *name, int *ret_value);

/* Writes the names with separators between them: "a, b or c". The text is cut off at its size. */
void option_choices_write(const struct option_choices *choices, const char *separator,
                          const char *last_separator, char *text, size_t size);
