/* Unpredictable bytes from the operating system, and texts made from them. Any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum random_sizes {
    RANDOM_UUID_SIZE = 37, /* 36 characters and the terminator */
};

/* Aborts when the kernel cannot deliver: without randomness no code would be safe to issue. */
void random_bytes(void *data, size_t len);

/* RFC 4122 version 4, lower case. 122 random bits. */
void random_uuid(char uuid[static RANDOM_UUID_SIZE]);

/* Uniform in [0, bound); bound > 0. */
uint32_t random_below(uint32_t bound);
