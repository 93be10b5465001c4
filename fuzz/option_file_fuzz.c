/* Reaches option_file_parse and option_file_value. What is accepted survives a round trip: written
 * again with every value in double quotes it gives the same names and values; what is refused names
 * a line of the text. Input: a file of settings. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/options/option_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_quoted(FILE *out, const char *value)
{
    for (; *value != '\0'; value++) {
        if (strchr("\"\\`$", *value) != NULL) {
            fputc('\\', out);
        }
        fputc(*value, out);
    }
}

static void write_again(const struct option_file *file, char **ret_text, size_t *ret_len)
{
    FILE *out = open_memstream(ret_text, ret_len);

    CHECK(out != NULL);
    for (size_t i = 0; i < file->count; i++) {
        fprintf(out, "%s=\"", file->entries[i].name);
        write_quoted(out, file->entries[i].value);
        fprintf(out, "\"\n");
    }
    fclose(out);
}

static void check_same(const struct option_file *a, const struct option_file *b)
{
    CHECK(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        CHECK(strcmp(a->entries[i].name, b->entries[i].name) == 0);
        CHECK(strcmp(a->entries[i].value, b->entries[i].value) == 0);
        CHECK(option_file_value(a, a->entries[i].name) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[OPTIONS_ERROR_SIZE] = "";
    struct option_file file = {0}, again = {0};
    char *text = NULL;
    size_t len = 0;

    if (option_file_parse(bytes_of(data, size), &file, error) != 0) {
        CHECK(error[0] >= '1' && error[0] <= '9' && file.entries == NULL);
        return 0;
    }
    CHECK(file.count <= OPTION_FILE_ENTRIES_MAX);
    write_again(&file, &text, &len);
    CHECK(option_file_parse(bytes_of(text, len), &again, error) == 0);
    check_same(&file, &again);
    free(text);
    option_file_release(&again);
    option_file_release(&file);
    return 0;
}
