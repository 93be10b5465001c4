#include "host/destination/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RECORDING_MODE = 0644 };

/* Behind the folder's own path, if the file begins with it. */
static const char *inside_of(const char *folder, const char *file)
{
    size_t len = strlen(folder);

    while (len > 1 && folder[len - 1] == '/') {
        len--;
    }
    if (strncmp(file, folder, len) == 0 && file[len] == '/') {
        file += len;
        return file + strspn(file, "/");
    }
    return file;
}

/* Goes down by one part of the path. Closes the folder. */
static int go_down(int folder_fd, const char *part, bool is_last)
{
    int flags = is_last ? O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NONBLOCK : O_DIRECTORY;
    int fd = -EPERM;

    if (strcmp(part, "..") != 0 && strcmp(part, ".") != 0 && part[0] != '\0') {
        fd = openat(folder_fd, part, flags | O_NOFOLLOW | O_CLOEXEC, RECORDING_MODE);
        fd = fd < 0 ? -errno : fd;
    }
    close(folder_fd);
    return fd;
}

/* Not a device, nor a pipe that blocks. */
static int check_regular(int fd)
{
    struct stat status;

    if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))) {
        close(fd);
        return -EPERM;
    }
    return fd;
}

int recording_open(const char *folder, const char *file)
{
    char path[PATH_MAX];

    if (folder == NULL || folder[0] == '\0') {
        return -EPERM;
    }
    const char *rest = inside_of(folder, file);

    if (rest[0] == '/' || snprintf(path, sizeof path, "%s", rest) >= (int)sizeof path) {
        return -EPERM;
    }
    int fd = open(folder, O_DIRECTORY | O_CLOEXEC);
    char *part = path;

    fd = fd < 0 ? -errno : fd;
    while (fd >= 0 && part != NULL) {
        char *slash = strchr(part, '/');

        if (slash != NULL) {
            *slash = '\0';
        }
        fd = go_down(fd, part, slash == NULL);
        part = slash == NULL ? NULL : slash + 1;
    }
    return check_regular(fd);
}

bool recording_add(int fd, struct bytes bytes)
{
    while (bytes.len > 0) {
        ssize_t written = write(fd, bytes.data, bytes.len);

        if (written < 0 && errno != EINTR) {
            return false;
        }
        bytes = bytes_skip(bytes, written > 0 ? (size_t)written : 0);
    }
    return true;
}
