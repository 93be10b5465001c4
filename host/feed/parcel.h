/* One message on its way through the host, as a parcel: immutable, shared by reference. Created on
 * any thread; references are counted on the host's thread only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

enum parcel_limits { PARCEL_BYTES_MAX = 10 * 1024 * 1024 };

enum parcel_type {
    PARCEL_TEXT = 1, /* values are the WebSocket opcodes */
    PARCEL_BINARY = 2,
};

struct parcel {
    unsigned references;
    enum parcel_type type;
    bool is_video;      /* of a stream whose key pictures are known */
    bool random_access; /* then: decoding can start here */
    uint64_t made_ms;   /* monotonic */
    size_t len;
    uint8_t data[];
};

/* A copy with one reference. NULL: no memory. */
MUST_USE struct parcel *parcel_create(enum parcel_type type, struct bytes content, uint64_t now_ms);
struct parcel *parcel_ref(struct parcel *message);

/* Accepts NULL. */
void parcel_unref(struct parcel *message);
