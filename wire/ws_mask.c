#include "wire/ws_mask.h"

#include <string.h>

/* Words are loaded and stored in memory order, so the byte order of the machine cancels out; memcpy
 * keeps unaligned buffers legal and costs nothing. Inlined, so that each caller says what may
 * overlap: target and source are the same, or apart. */
static inline __attribute__((always_inline)) void
mask_bytes(uint8_t *target, const uint8_t *source, size_t len, const uint8_t *mask, uint64_t phase)
{
    uint8_t key[sizeof(uint64_t)];
    uint64_t key_word;
    size_t done = 0;

    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = mask[(phase + i) % 4];
    }
    memcpy(&key_word, key, sizeof key_word);
    for (; len - done >= sizeof key_word; done += sizeof key_word) {
        uint64_t word;

        memcpy(&word, source + done, sizeof word);
        word ^= key_word;
        memcpy(target + done, &word, sizeof word);
    }
    for (; done < len; done++) {
        target[done] = source[done] ^ key[done % sizeof key];
    }
}

void ws_mask_copy(uint8_t *restrict target, const uint8_t *restrict source, size_t len,
                  const uint8_t mask[static 4], uint64_t phase)
{
    mask_bytes(target, source, len, mask, phase);
}

void ws_mask_apply(uint8_t *bytes, size_t len, const uint8_t mask[static 4], uint64_t phase)
{
    mask_bytes(bytes, bytes, len, mask, phase);
}
