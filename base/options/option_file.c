#include "base/options/option_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The rest of the text, and the entry that is being read. Values are never longer than the text. */
struct reader {
    struct bytes left;
    unsigned line;
    char *value; /* of the text's size */
    size_t len;
    size_t kept; /* of value; blanks behind it go unless something follows them */
    char *error;
};

static bool at_end(const struct reader *reader)
{
    return reader->left.len == 0;
}

static char take(struct reader *reader)
{
    char c = (char)reader->left.data[0];

    reader->left = bytes_skip(reader->left, 1);
    reader->line += c == '\n';
    return c;
}

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_name(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static int fail(const struct reader *reader, unsigned line, const char *reason)
{
    snprintf(reader->error, OPTIONS_ERROR_SIZE, "%u: %s", line, reason);
    return -EINVAL;
}

/* A backslash takes the next line into the comment. */
static void skip_comment(struct reader *reader)
{
    while (!at_end(reader)) {
        char c = take(reader);

        if (c == '\\' && !at_end(reader)) {
            take(reader);
        } else if (c == '\n') {
            return;
        }
    }
}

static void put(struct reader *reader, char c)
{
    reader->value[reader->len++] = c;
    reader->kept = reader->len;
}

/* Kept if something follows it. */
static void put_blank(struct reader *reader, char c)
{
    reader->value[reader->len++] = c;
}

/* Behind the opening quote. False: it is never closed. */
static bool take_quoted(struct reader *reader, char quote)
{
    while (!at_end(reader)) {
        char c = take(reader);

        if (c == quote) {
            return true;
        }
        if (c != '\\' || quote == '\'' || at_end(reader)) {
            put(reader, c);
            continue;
        }
        c = take(reader);
        if (c == '\n') {
            continue; /* the line goes on */
        }
        if (strchr("\"\\`$", c) == NULL) {
            put(reader, '\\');
        }
        put(reader, c);
    }
    return false;
}

/* Quotes count where a value, or a further piece of it, begins. */
static int take_value(struct reader *reader)
{
    unsigned line = reader->line;
    bool is_begun = false;

    reader->len = 0;
    reader->kept = 0;
    while (!at_end(reader)) {
        char c = take(reader);

        if (is_line_end(c)) {
            break;
        }
        if (!is_begun && (c == '"' || c == '\'')) {
            if (!take_quoted(reader, c)) {
                return fail(reader, line, "a quote is not closed");
            }
        } else if (c == '\\') {
            if (!at_end(reader) && (c = take(reader)) != '\n') {
                put(reader, c);
                is_begun = true;
            }
        } else if (!is_blank(c)) {
            put(reader, c);
            is_begun = true;
        } else if (is_begun) {
            put_blank(reader, c);
        }
    }
    return 0;
}

static int take_name(struct reader *reader, char name[static OPTION_FILE_NAME_SIZE])
{
    size_t len = 0;

    while (!at_end(reader) && is_name((char)reader->left.data[0])) {
        if (len == OPTION_FILE_NAME_SIZE - 1) {
            return fail(reader, reader->line, "the name is too long");
        }
        name[len++] = take(reader);
    }
    name[len] = '\0';
    while (!at_end(reader) && is_blank((char)reader->left.data[0])) {
        take(reader);
    }
    if (len == 0 || at_end(reader) || reader->left.data[0] != '=') {
        return fail(reader, reader->line, "expected NAME=value");
    }
    take(reader);
    return 0;
}

static int add(struct reader *reader, struct option_file *file, const char *name, unsigned line)
{
    if (file->count == OPTION_FILE_ENTRIES_MAX) {
        return fail(reader, line, "too many settings");
    }
    struct option_file_entry *entry = &file->entries[file->count];

    entry->value = strndup(reader->value, reader->kept);
    if (entry->value == NULL) {
        return -ENOMEM;
    }
    memcpy(entry->name, name, OPTION_FILE_NAME_SIZE);
    entry->line = line;
    file->count++;
    return 0;
}

static int take_entry(struct reader *reader, struct option_file *file)
{
    char name[OPTION_FILE_NAME_SIZE] = "";
    unsigned line = reader->line;
    int failed = take_name(reader, name);

    if (failed == 0) {
        failed = take_value(reader);
    }
    return failed != 0 ? failed : add(reader, file, name, line);
}

static int take_all(struct reader *reader, struct option_file *file)
{
    int failed = 0;

    while (failed == 0 && !at_end(reader)) {
        char c = (char)reader->left.data[0];

        if (is_blank(c) || is_line_end(c)) {
            take(reader);
        } else if (c == '#' || c == ';') {
            skip_comment(reader);
        } else {
            failed = take_entry(reader, file);
        }
    }
    return failed;
}

int option_file_parse(struct bytes text, struct option_file *ret_file,
                      char error[static OPTIONS_ERROR_SIZE])
{
    struct reader reader = {.left = text, .line = 1, .value = malloc(text.len + 1), .error = error};
    struct option_file file = {.entries = calloc(OPTION_FILE_ENTRIES_MAX, sizeof file.entries[0])};
    int failed = reader.value == NULL || file.entries == NULL ? -ENOMEM : 0;

    snprintf(error, OPTIONS_ERROR_SIZE, "1: out of memory");
    if (failed == 0 && bytes_find(text, '\0') < text.len) {
        failed = fail(&reader, 1, "holds a NUL byte: save it as UTF-8, not UTF-16");
    }
    if (failed == 0) {
        failed = take_all(&reader, &file);
    }
    if (reader.value != NULL) {
        bytes_wipe(reader.value, text.len + 1);
    }
    free(reader.value);
    if (failed != 0) {
        option_file_release(&file);
        return failed;
    }
    *ret_file = file;
    return 0;
}

static int read_whole(const char *path, char *text, size_t *ret_len)
{
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        return -errno;
    }
    setvbuf(file, NULL, _IONBF, 0); /* no copy of a secret stays in a stdio buffer */
    *ret_len = fread(text, 1, OPTION_FILE_BYTES_MAX + 1, file);
    int failed = ferror(file) ? -EIO : *ret_len > OPTION_FILE_BYTES_MAX ? -EFBIG : 0;

    fclose(file);
    return failed;
}

int option_file_read(const char *path, struct option_file *ret_file,
                     char error[static OPTIONS_ERROR_SIZE])
{
    char reason[OPTIONS_ERROR_SIZE];
    char *text = malloc(OPTION_FILE_BYTES_MAX + 1);
    size_t len = 0;
    int failed = text == NULL ? -ENOMEM : read_whole(path, text, &len);

    if (failed != 0) {
        snprintf(error, OPTIONS_ERROR_SIZE, "cannot read %.200s: %s", path, strerror(-failed));
    } else {
        failed = option_file_parse(bytes_of(text, len), ret_file, reason);
        if (failed != 0) {
            snprintf(error, OPTIONS_ERROR_SIZE, "%.200s:%.200s", path, reason);
        }
    }
    if (text != NULL) {
        bytes_wipe(text, OPTION_FILE_BYTES_MAX + 1);
    }
    free(text);
    return failed;
}

const char *option_file_value(const struct option_file *file, const char *name)
{
    for (size_t i = file->count; i > 0; i--) {
        if (strcmp(file->entries[i - 1].name, name) == 0) {
            return file->entries[i - 1].value;
        }
    }
    return NULL;
}

void option_file_release(struct option_file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        bytes_wipe(file->entries[i].value, strlen(file->entries[i].value));
        free(file->entries[i].value);
    }
    free(file->entries);
    *file = (struct option_file){0};
}
