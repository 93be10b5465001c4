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

/* Kinds from 64 on are of connections (server/handover/live/). The fields of each stand in
 * docs/handover.md, and in the file that writes it. */
enum handover_kind {
    /* Messages on the socket. */
    HANDOVER_HELLO = 1,    /* the new program: its version, and what must be the same */
    HANDOVER_STREAM = 2,   /* a stream, in a file of its own, and how many descriptors follow */
    HANDOVER_FDS = 3,      /* some of them */
    HANDOVER_PREPARED = 4, /* the new program could serve */
    HANDOVER_TAKEN = 5,    /* it has taken the streams of a step; or GO, and begins */
    HANDOVER_MOVE = 6,     /* connections follow: as many streams */
    HANDOVER_GO = 7,       /* the new program may begin, and serves once it answers */
    HANDOVER_DENIED = 8,   /* a denial, for what stayed with the old program */
    HANDOVER_DONE = 9,     /* the old program has carried it out */
    HANDOVER_TOLD = 10,    /* after that answer: systemd knows of the new program */
    /* Records of the first stream. */
    HANDOVER_PORT = 16,
    HANDOVER_ADMIN = 17,
    /* Records of the second. */
    HANDOVER_CODE = 24,
    HANDOVER_BOOKING = 25,
};

/* Fields of HANDOVER_HELLO, beside the terms of server/succession/terms.c. */
enum handover_hello_field {
    HANDOVER_HELLO_PROGRAM = 1,        /* its version, for the log */
    HANDOVER_HELLO_VERSION_OLDEST = 2, /* of a stream that it reads */
};

/* Fields of HANDOVER_MOVE. */
enum handover_move_field { HANDOVER_MOVE_STREAMS = 1 };
