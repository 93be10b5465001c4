/* A file of a recording. It is written beside its name, as NAME.part, and gets its name when it is
 * complete: a file with the name always plays to its end. Existing files are never overwritten: a
 * number makes the name a new one. One thread at a time. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/attributes.h"

enum segment_limits {
    SEGMENT_PATH_SIZE = PATH_MAX,
    SEGMENT_NUMBER_MAX = 9999, /* of files with one name */
};

struct segment {
    char path[SEGMENT_PATH_SIZE];
    char part[SEGMENT_PATH_SIZE];
    int fd; /* -1: closed */
    uint64_t len;
    uint64_t end; /* where it may end: behind the last whole picture */
};

void segment_init(struct segment *segment);
bool segment_is_open(const struct segment *segment);

/* pattern: a path, in which strftime's fields stand for the local time now. 0, -EINVAL if the
 * pattern has no name in it, or -errno. */
MUST_USE int segment_open(struct segment *segment, const char *pattern, time_t now);

/* Appends. 0 or -errno; then the file is cut as by segment_cut. */
MUST_USE int segment_write(struct segment *segment, const void *data, size_t len);

/* The file may end at this length. */
void segment_mark_end(struct segment *segment, uint64_t len);

/* Removes what is behind the last place at which the file may end. */
void segment_cut(struct segment *segment);

/* Cuts, waits for the disk, and gives the file its name; without content it is removed. 0 or
 * -errno; then the part keeps its name. */
MUST_USE int segment_close(struct segment *segment);
