#include "client/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool credential_is_valid(const char *token)
{
    size_t len = strlen(token);

    if (len == 0 || len > CREDENTIAL_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (token[i] <= ' ' || token[i] > '~') {
            /* "Bearer <token>" is one header value; any other white space is an injection */
            if (token[i] != ' ' || i == 0 || i + 1 == len) {
                return false;
            }
        }
    }
    return true;
}

/* Opening a pipe or a device could block, or have side effects. -errno, or a descriptor. */
static int open_regular(const char *path, int64_t *ret_mtime_s)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;

    if (fd < 0) {
        return -errno;
    }
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return -EINVAL;
    }
    *ret_mtime_s = status.st_mtime;
    return fd;
}

static ssize_t read_all(int fd, char *data, size_t size)
{
    size_t len = 0;

    while (len < size) {
        ssize_t got = read(fd, data + len, size - len);

        if (got < 0 && errno != EINTR) {
            return -errno;
        }
        if (got == 0) {
            break;
        }
        len += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)len;
}

static char *token_copy(struct bytes raw)
{
    struct bytes text = bytes_strip(raw);
    char *token = malloc(text.len + 1);

    if (token == NULL) {
        return NULL;
    }
    if (bytes_find(text, '\0') < text.len || bytes_to_text(text, token, text.len + 1) != 0 ||
        !credential_is_valid(token)) {
        bytes_wipe(token, text.len + 1);
        free(token);
        return NULL;
    }
    return token;
}

enum progress credential_file_read(const char *path, char **ret_token, int64_t *ret_mtime_s,
                                   struct fault *fault)
{
    char data[CREDENTIAL_BYTES_MAX + 256];
    int64_t mtime_s = 0;
    int fd = open_regular(path, &mtime_s);

    if (fd < 0) {
        return fault_set(fault, RELAY_CLIENT_FAULT_TOKEN_FILE, "token file %s: %s", path,
                         fd == -EINVAL ? "not a regular file" : strerror(-fd));
    }
    ssize_t len = read_all(fd, data, sizeof data);
    char *token = len < 0 ? NULL : token_copy(bytes_of(data, (size_t)len));

    close(fd);
    bytes_wipe(data, sizeof data);
    if (token == NULL) {
        return fault_set(fault, RELAY_CLIENT_FAULT_TOKEN_FILE, "token file %s: %s", path,
                         len < 0    ? strerror((int)-len)
                         : len == 0 ? "empty"
                                    : "does not hold a token");
    }
    *ret_token = token;
    *ret_mtime_s = mtime_s;
    return PROGRESS_DONE;
}

void credential_release(char *token)
{
    if (token != NULL) {
        bytes_wipe(token, strlen(token));
        free(token);
    }
}
