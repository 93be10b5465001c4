/* An MPEG transport stream to publish: its bytes, the pictures of its video, and the messages that
 * it is cut into. Found with a reader of its own, independent of wire/, so that a mistake there
 * cannot hide here. Immutable once made; any thread may read. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

enum footage_limits {
    FOOTAGE_PACKET_BYTES = 188,
    FOOTAGE_ERROR_SIZE = 256,
    FOOTAGE_BYTES_MAX = 1 << 30,
    FOOTAGE_PICTURES_MAX = 1 << 20,
    FOOTAGE_RATE_DEFAULT = 25, /* pictures a second of a file without time stamps */
};

struct footage_picture {
    size_t begin;     /* its first packet */
    size_t end;       /* behind its last one */
    unsigned packets; /* that carry it */
    bool is_key;      /* marked as a place where decoding can start */
};

struct footage_place; /* private: where a picture is by its first packet */

struct footage {
    uint8_t *bytes;
    size_t len; /* whole packets */
    uint16_t video_pid;
    double rate; /* pictures a second */
    struct footage_picture *pictures;
    unsigned pictures_count;
    unsigned keys_count;
    struct footage_place *places;
};

/* One packet of the stream, as far as viewers look. */
struct footage_packet {
    uint16_t pid;
    bool has_payload;
    bool starts_picture; /* a PES packet of video begins in it */
    bool is_key;         /* random_access_indicator */
};

/* packet: FOOTAGE_PACKET_BYTES. False: it has no sync byte. */
MUST_USE bool footage_packet_read(const uint8_t *packet, struct footage_packet *ret_packet);

/* Takes ownership of malloc'ed bytes, in every case. 0, or -errno with a reason in error: not a
 * transport stream with video and a key picture at all. */
MUST_USE int footage_of_bytes(uint8_t *bytes, size_t len, struct footage *ret_footage,
                              char error[static FOOTAGE_ERROR_SIZE]);

/* The same, of a file. */
MUST_USE int footage_load(const char *path, struct footage *ret_footage,
                          char error[static FOOTAGE_ERROR_SIZE]);

/* Accepts a zeroed one. */
void footage_release(struct footage *footage);

/* The picture that begins with that packet, or -1. */
int footage_find(const struct footage *footage, const uint8_t *packet);
