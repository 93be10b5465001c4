/* The file of a rule: the bytes of each message handed to the connection, without separators. Only
 * below one folder, and never through a symbolic link, because the poster of a rule names the file.
 * Host's thread only; blocks on the disk. */
#pragma once

#include "base/attributes.h"
#include "base/bytes.h"

/* file: a path inside the folder, or the folder and such a path. Created with mode 0644, or cut to
 * length 0. The descriptor, or -errno: -EPERM when it is outside or there is no folder. */
MUST_USE int recording_open(const char *folder, const char *file);

/* False: the first write that failed; the recording is over. */
bool recording_add(int fd, struct bytes bytes);
