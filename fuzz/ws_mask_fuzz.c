/* Reaches ws_mask_copy, compared with the byte formula of RFC 6455 §5.3, whole and in pieces.
 * Input: 4 bytes of mask, 1 of phase, 1 that cuts, then the payload. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fuzz/split.h"
#include "wire/ws_mask.h"

enum { HEAD = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD) {
        return 0;
    }
    const uint8_t *mask = data;
    uint64_t phase = data[4];
    struct split split = {.state = data[5]};
    const uint8_t *payload = data + HEAD;
    size_t len = size - HEAD;
    uint8_t *target = malloc(len + 1);

    CHECK(target != NULL);
    target[len] = 0xa5;
    for (size_t done = 0; done < len;) {
        size_t piece = split_next(&split, len - done);

        ws_mask_copy(target + done, payload + done, piece, mask, phase + done);
        done += piece;
    }
    for (size_t i = 0; i < len; i++) {
        CHECK(target[i] == (payload[i] ^ mask[(phase + i) % 4]));
    }
    CHECK(target[len] == 0xa5);
    free(target);
    return 0;
}
