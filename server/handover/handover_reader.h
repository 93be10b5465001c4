/* Reads the stream of handover_format.h, whatever its writer sent. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

enum handover_read {
    HANDOVER_READ,    /* it is there */
    HANDOVER_PARTIAL, /* more bytes are wanted */
    HANDOVER_REFUSED, /* no stream of a relay, or of a version that is not read */
};

enum handover_reader_limits {
    HANDOVER_MARK_EVERY = 8, /* fields */
    HANDOVER_MARKS_MAX = 16,
};

/* Its fields are sound: each lies within it, in ascending order of ids. */
struct handover_record {
    uint16_t kind, fds;
    struct bytes fields; /* borrowed of the input */
    /* Some fields, so that a look-up among many need not begin with the first. */
    struct handover_mark {
        uint16_t id;
        uint32_t offset; /* in fields */
    } marks[HANDOVER_MARKS_MAX];
    uint16_t marks_count;
};

/* The prelude; *ret_version is the writer's. */
MUST_USE enum handover_read handover_reader_prelude(struct bytes input, uint16_t *ret_version);

/* The record with which the input begins; *ret_len is its length, and how long the input must be if
 * it is partial. */
MUST_USE enum handover_read
handover_reader_record(struct bytes input, struct handover_record *ret_record, size_t *ret_len);

/* A field; false: the record has none of that id, or one that is no number. */
MUST_USE bool handover_reader_number(const struct handover_record *record, uint16_t id,
                                     uint64_t *ret_value);
MUST_USE bool handover_reader_bytes(const struct handover_record *record, uint16_t id,
                                    struct bytes *ret_bytes);

/* All records of a whole stream, one after another. */
struct handover_walk {
    struct bytes rest;
    bool is_refused;
};

/* False: it does not begin with the prelude of a version that is read. */
MUST_USE bool handover_reader_begin(struct handover_walk *walk, struct bytes stream);
/* The next one; false: there is none, or it is unsound. */
MUST_USE bool handover_reader_next(struct handover_walk *walk, struct handover_record *ret_record);
/* After the last one: nothing is left over. */
bool handover_reader_is_whole(const struct handover_walk *walk);
