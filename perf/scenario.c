#include "perf/scenario.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct scenario letters[] = {
    {"A", 1, 1, 4096, 2000}, {"B", 1, 1, 65536, 1000}, {"C", 20, 2, 4096, 100},
    {"D", 100, 2, 4096, 25}, {"E", 1, 100, 4096, 100}, {"F", 1, 100, 65536, 25},
};

/* Index of the letter, or -EINVAL. */
static int letter_index(char letter)
{
    int index = toupper((unsigned char)letter) - 'A';

    return index >= 0 && index < (int)ARRAY_LENGTH(letters) ? index : -EINVAL;
}

static int append_range(struct scenario_list *list, int first, int last)
{
    if (first < 0 || last < first) {
        return -EINVAL;
    }
    for (int i = first; i <= last; i++) {
        if (list->count == SCENARIO_LIST_MAX) {
            return -E2BIG;
        }
        list->items[list->count++] = letters[i];
    }
    return 0;
}

int scenario_list_parse(const char *text, struct scenario_list *ret_list)
{
    struct scenario_list list = {.count = 0};

    for (;;) {
        int first = letter_index(*text);
        int last = first;

        text += first >= 0;
        if (first >= 0 && *text == '-') {
            last = letter_index(text[1]);
            text += last >= 0 ? 2 : 1;
        }
        int failed = append_range(&list, first, last);

        if (failed != 0) {
            return failed;
        }
        if (*text == '\0') {
            break;
        }
        if (*text++ != ',') {
            return -EINVAL;
        }
    }
    *ret_list = list;
    return 0;
}

int scenario_list_of_viewers(const struct scenario *scenario, const char *viewers,
                             struct scenario_list *ret_list)
{
    struct scenario_list list = {.count = 0};

    for (;;) {
        char *end;
        unsigned long number = strtoul(viewers, &end, 10);

        if (!isdigit((unsigned char)*viewers) || number == 0 || number > SCENARIO_VIEWERS_MAX ||
            (*end != '\0' && *end != ',')) {
            return -EINVAL;
        }
        if (list.count == SCENARIO_LIST_MAX) {
            return -E2BIG;
        }
        struct scenario *item = &list.items[list.count++];

        *item = *scenario;
        item->viewers = (unsigned)number;
        snprintf(item->name, sizeof item->name, "x%lu", number);
        if (*end == '\0') {
            break;
        }
        viewers = end + 1;
    }
    *ret_list = list;
    return 0;
}

void scenario_text(const struct scenario *scenario, char text[static SCENARIO_TEXT_SIZE])
{
    snprintf(text, SCENARIO_TEXT_SIZE, "%ux%ux%zu@%u", scenario->topics, scenario->viewers,
             scenario->bytes, scenario->rate);
}

size_t scenario_connections(const struct scenario *scenario)
{
    return (size_t)scenario->topics * (scenario->viewers + (scenario->rate > 0 ? 1u : 0u));
}
