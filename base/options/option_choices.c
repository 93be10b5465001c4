#include "base/options/option_choices.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

bool option_choices_find(const struct option_choices *choices, const char *name, int *ret_value)
{
    int (*const compare)(const char *, const char *) = choices->ignores_case ? strcasecmp : strcmp;

    for (size_t i = 0; i < choices->count; i++) {
        if (compare(name, choices->list[i].name) == 0) {
            *ret_value = choices->list[i].value;
            return true;
        }
    }
    return false;
}

static size_t count_listed(const struct option_choices *choices)
{
    size_t listed = 0;

    for (size_t i = 0; i < choices->count; i++) {
        listed += !choices->list[i].is_alias;
    }
    return listed;
}

void option_choices_write(const struct option_choices *choices, const char *separator,
                          const char *last_separator, char *text, size_t size)
{
    size_t left = count_listed(choices);
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < choices->count && used < size; i++) {
        if (choices->list[i].is_alias) {
            continue;
        }
        left--;
        used += (size_t)snprintf(text + used, size - used, "%s%s",
                                 used == 0   ? ""
                                 : left == 0 ? last_separator
                                             : separator,
                                 choices->list[i].name);
    }
}
