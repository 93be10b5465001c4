/* The log of the code under test, in a file of the test's. */
#pragma once

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Whether the text stands in its first 16 KiB. */
static inline bool log_file_has(const char *path, const char *wanted)
{
    char text[16384];
    FILE *file = fopen(path, "r");

    cr_assert_not_null(file);
    size_t len = fread(text, 1, sizeof text - 1, file);

    fclose(file);
    text[len] = '\0';
    return strstr(text, wanted) != NULL;
}
