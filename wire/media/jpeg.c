#include "wire/media/jpeg.h"

#include <string.h>

enum jpeg_markers {
    MARKER = 0xff,
    TEMPORARY = 0x01,
    RESTART_FIRST = 0xd0,
    RESTART_LAST = 0xd7,
    START_OF_IMAGE = 0xd8,
    END_OF_IMAGE = 0xd9,
    START_OF_SCAN = 0xda,
};

enum { MARKER_SIZE = 2, LENGTH_SIZE = 2 };

bool jpeg_begins(struct bytes bytes)
{
    return bytes.len > MARKER_SIZE && bytes.data[0] == MARKER && bytes.data[1] == START_OF_IMAGE &&
           bytes.data[2] == MARKER;
}

static bool stands_alone(uint8_t marker)
{
    return marker == TEMPORARY || (marker >= RESTART_FIRST && marker <= RESTART_LAST);
}

/* Takes the first marker segment off the front (§B.1.1.4), or a fill byte. 0: it is invalid, or not
 * all there. */
static uint8_t segment_take(struct bytes *rest)
{
    uint8_t marker;
    size_t len;

    if (rest->len > 1 && rest->data[0] == MARKER && rest->data[1] == MARKER) {
        *rest = bytes_skip(*rest, 1);
        return MARKER;
    }
    if (rest->len < MARKER_SIZE + LENGTH_SIZE || rest->data[0] != MARKER) {
        return 0;
    }
    marker = rest->data[1];
    *rest = bytes_skip(*rest, MARKER_SIZE);
    if (stands_alone(marker)) {
        return marker;
    }
    len = (size_t)rest->data[0] << 8 | rest->data[1];
    if (len < LENGTH_SIZE || len > rest->len) {
        return 0;
    }
    *rest = bytes_skip(*rest, len);
    return marker;
}

/* Takes all up to the scan. A thumbnail in a segment has an EOI of its own. */
static bool header_take(struct bytes *rest)
{
    for (unsigned i = 0; i < JPEG_SEGMENTS_MAX; i++) {
        uint8_t marker = segment_take(rest);

        if (marker == START_OF_SCAN) {
            return true;
        }
        if (marker == 0 || marker == END_OF_IMAGE) {
            return false;
        }
    }
    return false;
}

/* Length up to the last EOI, or 0. */
static size_t scan_len(struct bytes scan)
{
    size_t len = scan.len;

    for (unsigned i = 0; i < JPEG_ENDS_MAX && len >= MARKER_SIZE; i++) {
        const uint8_t *end = memrchr(scan.data + 1, END_OF_IMAGE, len - 1);

        if (end == NULL) {
            return 0;
        }
        if (end[-1] == MARKER) {
            return (size_t)(end - scan.data) + 1;
        }
        len = (size_t)(end - scan.data);
    }
    return 0;
}

size_t jpeg_len(struct bytes bytes)
{
    struct bytes rest = bytes_skip(bytes, MARKER_SIZE);
    size_t len;

    if (!jpeg_begins(bytes) || !header_take(&rest)) {
        return 0;
    }
    len = scan_len(rest);
    return len == 0 ? 0 : bytes.len - rest.len + len;
}
