#include "token/key_files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/options/secret_file.h"
#include "base/systemd/credential.h"
#include "token/key.h"

enum { ORIGIN_SIZE = PATH_MAX + 32 };

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Takes the first word off the line; empty when there is none. */
static struct bytes word_take(struct bytes *line)
{
    size_t start = 0;

    while (start < line->len && blank(line->data[start])) {
        start++;
    }
    struct bytes rest = bytes_skip(*line, start);
    size_t len = 0;

    while (len < rest.len && !blank(rest.data[len])) {
        len++;
    }
    *line = bytes_skip(rest, len);
    return bytes_of(rest.data, len);
}

static bool line_refuse(const char *origin, const char *reason, char *error)
{
    snprintf(error, TOKEN_KEYS_ERROR_SIZE, "%.300s: %s", origin, reason);
    return false;
}

/* A byte order mark or a stray control character would become part of the secret, invisibly. */
static bool secret_is_plain(struct bytes secret)
{
    for (size_t i = 0; i < secret.len; i++) {
        if (secret.data[i] < ' ' || secret.data[i] == 0x7f) {
            return false;
        }
    }
    return !bytes_start_with(secret, "\xef\xbb\xbf");
}

static bool line_add(struct token_keys *keys, struct bytes line, const char *origin, char *error)
{
    struct bytes first = word_take(&line);
    struct bytes second = word_take(&line);
    struct bytes id = second.len > 0 ? first : bytes_of_text("");
    struct bytes secret = second.len > 0 ? second : first;

    if (first.len == 0 || first.data[0] == '#') {
        return true;
    }
    if (word_take(&line).len > 0) {
        return line_refuse(origin, "more than a kid and a secret, neither may hold blanks", error);
    }
    if (id.len > 0 && !key_id_is_valid(id)) {
        return line_refuse(origin, "the kid is too long or not printable ASCII", error);
    }
    if (!secret_is_plain(first) || !secret_is_plain(secret)) {
        return line_refuse(origin, "control character or byte order mark", error);
    }
    return token_keys_add_secret(keys, secret, id, origin, error);
}

bool key_files_add_secrets(struct token_keys *keys, struct bytes text, const char *name,
                           char error[static TOKEN_KEYS_ERROR_SIZE])
{
    for (unsigned number = 1; text.len > 0; number++) {
        char origin[ORIGIN_SIZE];
        size_t len = bytes_find(text, '\n');

        snprintf(origin, sizeof origin, "%s:%u", name, number);
        if (!line_add(keys, bytes_of(text.data, len), origin, error)) {
            return false;
        }
        text = bytes_skip(text, len + 1);
    }
    return true;
}

static bool is_pem_name(const char *name)
{
    size_t len = strlen(name);

    return len > 4 && strcmp(name + len - 4, ".pem") == 0 && name[0] != '.';
}

/* The file's name without folder and ".pem". */
static struct bytes id_of_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    size_t len = strlen(name);

    return bytes_of(name, is_pem_name(name) ? len - 4 : len);
}

static bool public_file_add(struct token_keys *keys, const char *path, char *error)
{
    struct bytes id = id_of_path(path);
    char reason[KEY_REASON_SIZE] = "";
    struct key key;
    char *text;

    if (!key_id_is_valid(id)) {
        return line_refuse(path, "the file's name is the kid and too long or not printable ASCII",
                           error);
    }
    int failed = secret_file_read(path, &text);

    if (failed != 0) {
        return line_refuse(path, secret_file_reason(failed), error);
    }
    failed = key_init_public(&key, bytes_of_text(text), reason);
    bytes_wipe(text, strlen(text)); /* it may be the wrong file */
    free(text);
    if (failed != 0) {
        return line_refuse(path, failed == -ENOMEM ? "out of memory" : reason, error);
    }
    return token_keys_add(keys, &key, id, path, error);
}

static int pem_filter(const struct dirent *entry)
{
    return is_pem_name(entry->d_name);
}

static int name_compare(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* the same order in every locale */
}

/* An empty folder is fine: the last key may have been withdrawn. */
static bool public_folder_add(struct token_keys *keys, const char *folder, char *error)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, pem_filter, name_compare);
    bool ok = true;

    if (count < 0) {
        return line_refuse(folder, strerror(errno), error);
    }
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];

        if (ok && snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name) >= PATH_MAX) {
            ok = line_refuse(folder, strerror(ENAMETOOLONG), error);
        }
        ok = ok && public_file_add(keys, path, error);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

static bool public_path_add(struct token_keys *keys, struct bytes item, char *error)
{
    char name[PATH_MAX], path[PATH_MAX];
    struct stat info;

    if (item.len == 0) {
        return true;
    }
    if (bytes_to_text(item, name, sizeof name) != 0) {
        return line_refuse("public keys", strerror(ENAMETOOLONG), error);
    }
    credential_path(name, strlen(name), path, sizeof path);
    if (stat(path, &info) != 0) {
        return line_refuse(path, strerror(errno), error);
    }
    return S_ISDIR(info.st_mode) ? public_folder_add(keys, path, error)
                                 : public_file_add(keys, path, error);
}

bool key_files_add_public(struct token_keys *keys, const char *list,
                          char error[static TOKEN_KEYS_ERROR_SIZE])
{
    struct bytes rest = bytes_of_text(list);

    while (rest.len > 0) {
        if (!public_path_add(keys, bytes_take_item(&rest), error)) {
            return false;
        }
    }
    return true;
}
