/* The stream in which a running relay gives its connections to the program that follows it
 * (docs/handover.md). A prelude, then records; a record is a head and fields in ascending order of
 * their ids. Numbers are little-endian. Ids and kinds are never used again for anything else: a
 * reader skips those that it does not know, so that programs two releases apart understand each
 * other. */
#pragma once

#include <stdint.h>

enum handover_version {
    HANDOVER_VERSION = 1,        /* of what is written */
    HANDOVER_VERSION_OLDEST = 1, /* that is read */
};

enum handover_sizes {
    HANDOVER_PRELUDE_BYTES = 16, /* magic, then version and oldest version of 2 bytes, then zeros */
    HANDOVER_MAGIC_BYTES = 8,
    HANDOVER_RECORD_HEAD_BYTES = 8, /* kind and descriptors of 2 bytes, length of 4 */
    HANDOVER_FIELD_HEAD_BYTES = 8,  /* id of 2 bytes, 2 zeros, length of 4 */
    HANDOVER_NUMBER_BYTES = 8,
    HANDOVER_RECORD_BYTES_MAX = 16 << 20, /* fields; a message has 10 MiB at most */
    HANDOVER_FDS_MAX = 253,               /* of one message on a Unix socket (SCM_MAX_FD) */
};

#define HANDOVER_MAGIC "RELAYHND"
