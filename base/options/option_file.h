/* A file of settings, NAME=value lines as systemd reads them in EnvironmentFile: comments begin
 * with # or ;, values may stand in quotes, and a backslash before the end of a line continues it.
 * The values may be secret: option_file_release wipes them. Parsing is pure; option_file_read
 * blocks on the file. Any thread. */
#pragma once

#include <stddef.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/options/option_table.h"

enum option_file_limits {
    OPTION_FILE_BYTES_MAX = 256 * 1024,
    OPTION_FILE_ENTRIES_MAX = 512,
    OPTION_FILE_NAME_SIZE = 64,
};

struct option_file_entry {
    char name[OPTION_FILE_NAME_SIZE];
    char *value;
    unsigned line;
};

struct option_file {
    struct option_file_entry *entries; /* in the order of the file */
    size_t count;
};

/* 0, or -errno with one line in error that names the line of the fault. On failure there is nothing
 * to release. */
MUST_USE int option_file_parse(struct bytes text, struct option_file *ret_file,
                               char error[static OPTIONS_ERROR_SIZE]);

/* The same for a file; error begins with its path. */
MUST_USE int option_file_read(const char *path, struct option_file *ret_file,
                              char error[static OPTIONS_ERROR_SIZE]);

/* The last value of that name, or NULL. */
const char *option_file_value(const struct option_file *file, const char *name);

/* Wipes and frees; harmless for a zeroed one. */
void option_file_release(struct option_file *file);
