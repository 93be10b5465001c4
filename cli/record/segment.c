#include "cli/record/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

void segment_init(struct segment *segment)
{
    *segment = (struct segment){.fd = -1};
}

bool segment_is_open(const struct segment *segment)
{
    return segment->fd >= 0;
}

/* name.ts, name-2.ts, name-3.ts … */
static int path_make(const char *name, unsigned number, char path[static SEGMENT_PATH_SIZE])
{
    const char *slash = strrchr(name, '/');
    const char *base = slash == NULL ? name : slash + 1;
    const char *dot = strrchr(base, '.');
    size_t stem_len = dot == NULL || dot == base ? strlen(name) : (size_t)(dot - name);
    char suffix[16] = "";
    int len;

    if (number > 1) {
        snprintf(suffix, sizeof suffix, "-%u", number);
    }
    len =
        snprintf(path, SEGMENT_PATH_SIZE, "%.*s%s%s", (int)stem_len, name, suffix, name + stem_len);
    return len < SEGMENT_PATH_SIZE - (int)sizeof ".part" ? 0 : -ENAMETOOLONG;
}

/* Opens the part of the first name that is not in use. */
static int part_open(struct segment *segment, const char *name)
{
    for (unsigned number = 1; number <= SEGMENT_NUMBER_MAX; number++) {
        int failed = path_make(name, number, segment->path);

        if (failed != 0) {
            return failed;
        }
        snprintf(segment->part, sizeof segment->part, "%.*s.part",
                 (int)(sizeof segment->part - sizeof ".part"), segment->path);
        if (access(segment->path, F_OK) == 0) {
            continue;
        }
        segment->fd = open(segment->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (segment->fd >= 0 || errno != EEXIST) {
            return segment->fd >= 0 ? 0 : -errno;
        }
    }
    return -EEXIST;
}

/* The operator's own pattern. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static bool name_make(const char *pattern, time_t now, char name[static SEGMENT_PATH_SIZE])
{
    struct tm local;

    return localtime_r(&now, &local) != NULL &&
           strftime(name, SEGMENT_PATH_SIZE, pattern, &local) > 0 && name[strlen(name) - 1] != '/';
}
#pragma GCC diagnostic pop

int segment_open(struct segment *segment, const char *pattern, time_t now)
{
    char name[SEGMENT_PATH_SIZE];

    CHECK(!segment_is_open(segment));
    if (!name_make(pattern, now, name)) {
        return -EINVAL;
    }
    segment->len = segment->end = 0;
    return part_open(segment, name);
}

int segment_write(struct segment *segment, const void *data, size_t len)
{
    const char *rest = data;

    while (len > 0) {
        ssize_t written = write(segment->fd, rest, len);

        if (written < 0 && errno != EINTR) {
            int failed = -errno;

            segment_cut(segment);
            return failed;
        }
        if (written > 0) {
            rest += written;
            len -= (size_t)written;
            segment->len += (uint64_t)written;
        }
    }
    return 0;
}

void segment_mark_end(struct segment *segment, uint64_t len)
{
    CHECK(len >= segment->end && len <= segment->len);
    segment->end = len;
}

void segment_cut(struct segment *segment)
{
    /* Where neither works, the file ends in an incomplete picture. */
    if (ftruncate(segment->fd, (off_t)segment->end) == 0 &&
        lseek(segment->fd, (off_t)segment->end, SEEK_SET) >= 0) {
        segment->len = segment->end;
    }
}

int segment_close(struct segment *segment)
{
    int failed = 0;

    if (!segment_is_open(segment)) {
        return 0;
    }
    segment_cut(segment);
    if (segment->end == 0) {
        failed = unlink(segment->part) == 0 ? 0 : -errno;
    } else if (fdatasync(segment->fd) != 0 || rename(segment->part, segment->path) != 0) {
        failed = -errno;
    }
    close(segment->fd);
    segment->fd = -1;
    return failed;
}
