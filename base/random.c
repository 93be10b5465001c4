#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/check.h"

void random_bytes(void *data, size_t len)
{
    uint8_t *next = data;

    while (len > 0) {
        ssize_t got = getrandom(next, len, 0);

        CHECK(got > 0 || errno == EINTR);
        if (got > 0) {
            next += got;
            len -= (size_t)got;
        }
    }
}

void random_uuid(char uuid[static RANDOM_UUID_SIZE])
{
    uint8_t b[16];

    random_bytes(b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(uuid, RANDOM_UUID_SIZE,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
}

uint32_t random_below(uint32_t bound)
{
    uint32_t value;

    CHECK(bound > 0);
    random_bytes(&value, sizeof value);
    return (uint32_t)(((uint64_t)value * bound) >> 32);
}
