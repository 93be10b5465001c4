#include "wire/ws_mask.h"

#include <string.h>

static uint64_t rotate(const uint8_t mask[static 4], uint64_t phase, uint8_t key[static 8])
{
    uint64_t key_word;

    for (size_t i = 0; i < sizeof key_word; i++) {
        key[i] = mask[(phase + i) % 4];
    }
    memcpy(&key_word, key, sizeof key_word);
    return key_word;
}

/* Words are loaded and stored in memory order, so the byte order of the machine cancels out; memcpy
 * keeps unaligned buffers legal and costs nothing. */
void ws_mask_copy(uint8_t *restrict target, const uint8_t *restrict source, size_t len,
                  const uint8_t mask[static 4], uint64_t phase)
{
    uint8_t key[sizeof(uint64_t)];
    uint64_t key_word = rotate(mask, phase, key);
    size_t done = 0;

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

void ws_mask_apply(uint8_t *bytes, size_t len, const uint8_t mask[static 4], uint64_t phase)
{
    uint8_t key[sizeof(uint64_t)];
    uint64_t key_word = rotate(mask, phase, key);
    size_t done = 0;

    for (; len - done >= sizeof key_word; done += sizeof key_word) {
        uint64_t word;

        memcpy(&word, bytes + done, sizeof word);
        word ^= key_word;
        memcpy(bytes + done, &word, sizeof word);
    }
    for (; done < len; done++) {
        bytes[done] ^= key[done % sizeof key];
    }
}
