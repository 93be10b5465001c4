#include "base/options/secret_file.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/systemd/credential.h"

enum { SECRET_FILE_BYTES_MAX = 64 * 1024 };

static FILE *open_file(const char *name)
{
    char path[PATH_MAX];

    return fopen(credential_path(name, strlen(name), path, sizeof path) ? path : name, "re");
}

int secret_file_read(const char *path, char **ret_text)
{
    FILE *file = open_file(path);

    if (file == NULL) {
        return -errno;
    }
    char *text = malloc(SECRET_FILE_BYTES_MAX + 1);

    if (text == NULL) {
        fclose(file);
        return -ENOMEM;
    }
    setvbuf(file, NULL, _IONBF, 0); /* no copy of the secret stays in a stdio buffer */
    size_t len = fread(text, 1, SECRET_FILE_BYTES_MAX + 1, file);
    int failed = ferror(file) ? -errno : len > SECRET_FILE_BYTES_MAX ? -EFBIG : 0;

    fclose(file);
    if (failed == 0 && memchr(text, '\0', len) != NULL) {
        failed = -EINVAL; /* everything behind the NUL would be lost unseen */
    }
    while (failed == 0 && len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r')) {
        len--;
    }
    if (failed != 0) {
        bytes_wipe(text, SECRET_FILE_BYTES_MAX + 1);
        free(text);
        return failed;
    }
    text[len] = '\0';
    *ret_text = text;
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r' || c == '\n';
}

static int secret_check(const char *text)
{
    size_t len = strlen(text);

    if (len == 0) {
        return -ENODATA;
    }
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0 || strncmp(text, "\xff\xfe", 2) == 0 ||
        strncmp(text, "\xfe\xff", 2) == 0) {
        return -EILSEQ;
    }
    return is_blank(text[0]) || is_blank(text[len - 1]) ? -EBADMSG : 0;
}

int secret_file_read_one(const char *path, char **ret_text)
{
    char *text = NULL;
    int failed = secret_file_read(path, &text);

    if (failed != 0 || text == NULL) { /* errno is not 0 after a failure, but no tool knows */
        return failed;
    }
    failed = secret_check(text);
    if (failed != 0) {
        bytes_wipe(text, strlen(text));
        free(text);
        return failed;
    }
    *ret_text = text;
    return 0;
}

const char *secret_file_reason(int failed)
{
    switch (failed) {
    case -EFBIG:
        return "longer than 64 KiB";
    case -EINVAL:
        return "holds a NUL byte: save it as UTF-8, not UTF-16";
    case -EILSEQ:
        return "begins with a byte order mark: save it as UTF-8 without one";
    case -ENODATA:
        return "is empty";
    case -EBADMSG:
        return "begins or ends with a blank: remove it";
    default:
        return strerror(-failed);
    }
}
