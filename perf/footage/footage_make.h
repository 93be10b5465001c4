/* Footage without a camera and an encoder: an MPEG transport stream of H.264 in which each picture
 * has the bytes by which relays recognise it, behind them filling. Nothing can be seen in it. */
#pragma once

#include "base/attributes.h"
#include "perf/footage/footage.h"

enum footage_make_limits {
    FOOTAGE_GROUP_MS_MAX = 60000,
    FOOTAGE_KEY_BYTES = 40000,
    FOOTAGE_OTHER_BYTES = 5000, /* 25 of them a second: 1 Mbit/s */
    FOOTAGE_MADE_MS = 60000,    /* at least so long, in whole groups; then it is repeated */
};

/* Loads the file, or makes footage when path is NULL. */
MUST_USE int footage_make_or_load(const char *path, unsigned group_ms, struct footage *ret_footage,
                                  char error[static FOOTAGE_ERROR_SIZE]);

/* Groups of pictures of that length, which begin with a key picture. */
MUST_USE int footage_make(unsigned group_ms, struct footage *ret_footage,
                          char error[static FOOTAGE_ERROR_SIZE]);
