/* How many descriptors this process has open, for tests that compare the number. */
#pragma once

#include <dirent.h>

#include "base/check.h"

static unsigned open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;

    CHECK(directory != NULL);
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count;
}
