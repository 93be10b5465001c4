/* JPEG pictures (ISO/IEC 10918-1 annex B): whether one is whole. Pure, any thread. Nearly all bytes
 * are skipped, whatever they are: one message must not take long. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

enum jpeg_limits {
    JPEG_SEGMENTS_MAX = 16 * 1024, /* before the scan; fill bytes count too */
    JPEG_ENDS_MAX = 16 * 1024,     /* bytes behind the EOI that may end one */
};

/* True when the bytes begin as a JPEG does: SOI and the next marker. */
bool jpeg_begins(struct bytes bytes);

/* Length of the JPEG at the front of the bytes, with its EOI; 0: none, or it is not complete, or it
 * is past a bound. Bytes may follow, of which a second picture counts as part of the first. */
size_t jpeg_len(struct bytes bytes);
