#include "host/rules/rule_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"

static bool fail(const char *path, const char *reason, char *error)
{
    snprintf(error, RULE_FILE_ERROR_SIZE, "%s: %s", path, reason);
    return false;
}

static bool has_member(struct json_value value, const char *wanted)
{
    struct json_value name, member;
    struct bytes rest = value.text;

    while (value.kind == JSON_OBJECT && json_reader_next_member(&rest, &name, &member)) {
        if (json_reader_text_is(name, wanted)) {
            return true;
        }
    }
    return false;
}

static bool read_one(struct json_value value, const struct rule_file_reader *reader, char *reason)
{
    struct stream_rule stream;
    struct rule rule;

    if (has_member(value, "serial") || has_member(value, "exec")) {
        snprintf(reason, JSON_ANSWER_ERROR_SIZE, "devices do not belong here");
        return reader->on_device != NULL && reader->on_device(reader->context, value, reason);
    }
    if (has_member(value, "feeds")) {
        if (!stream_rule_read(value, &stream, reason)) {
            return false;
        }
        reader->on_stream(reader->context, &stream);
        return true;
    }
    if (!rule_read(value, &rule, reason)) {
        return false;
    }
    reader->on_rule(reader->context, &rule);
    return true;
}

static bool read_text(const char *path, struct bytes text, const struct rule_file_reader *reader,
                      char *error)
{
    char syntax[JSON_READER_ERROR_SIZE], reason[JSON_ANSWER_ERROR_SIZE];
    struct json_value element;

    if (!json_reader_check(text, syntax)) {
        return fail(path, syntax, error);
    }
    struct json_value list = json_reader_value(text);
    struct bytes rest = list.text;

    if (list.kind != JSON_ARRAY) {
        return fail(path, "not a JSON list of rules", error);
    }
    while (json_reader_next_element(&rest, &element)) {
        if (!read_one(element, reader, reason)) {
            return fail(path, reason, error);
        }
    }
    return true;
}

/* The whole content, malloc'ed. NULL: errno has the reason. */
static char *load(const char *path, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = fd < 0 ? NULL : malloc(RULE_FILE_BYTES_MAX + 1);
    size_t len = 0;
    ssize_t got = 1;

    while (text != NULL && got > 0 && len <= RULE_FILE_BYTES_MAX) {
        got = read(fd, text + len, RULE_FILE_BYTES_MAX + 1 - len);
        len += got > 0 ? (size_t)got : 0;
    }
    int failed = text == NULL || got < 0 ? errno : len > RULE_FILE_BYTES_MAX ? EFBIG : 0;

    if (fd >= 0) {
        close(fd);
    }
    if (failed != 0) {
        free(text);
        errno = failed;
        return NULL;
    }
    *ret_len = len;
    return text;
}

static bool read_file(const char *path, const struct rule_file_reader *reader, char *error)
{
    size_t len;
    char *text = load(path, &len);

    if (text == NULL) {
        return fail(path, strerror(errno), error);
    }
    bool is_good = read_text(path, bytes_of(text, len), reader, error);

    bytes_wipe(text, len);
    free(text);
    return is_good;
}

static int is_rules_name(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

static bool read_folder(const char *folder, const struct rule_file_reader *reader, char *error)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_rules_name, alphasort);
    bool is_good = count >= 0 || fail(folder, strerror(errno), error);

    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];

        if (is_good) {
            snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
            is_good = read_file(path, reader, error);
        }
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    }
    return is_good;
}

bool rule_file_read(const char *path, const struct rule_file_reader *reader,
                    char error[static RULE_FILE_ERROR_SIZE])
{
    struct stat status;

    if (stat(path, &status) != 0) {
        return fail(path, strerror(errno), error);
    }
    return S_ISDIR(status.st_mode) ? read_folder(path, reader, error)
                                   : read_file(path, reader, error);
}

static int write_all(int fd, struct bytes text)
{
    while (text.len > 0) {
        ssize_t written = write(fd, text.data, text.len);

        if (written < 0 && errno != EINTR) {
            return -errno;
        }
        text = bytes_skip(text, written > 0 ? (size_t)written : 0);
    }
    return 0;
}

int rule_file_write(const char *path, const char *text)
{
    char temporary[PATH_MAX];

    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary) {
        return -ENAMETOOLONG;
    }
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0) {
        return -errno;
    }
    int failed = write_all(fd, bytes_of_text(text));

    if (close(fd) != 0 && failed == 0) {
        failed = -errno;
    }
    if (failed == 0 && rename(temporary, path) != 0) {
        failed = -errno;
    }
    if (failed != 0) {
        unlink(temporary);
    }
    return failed;
}
