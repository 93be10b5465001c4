#include "token/base64url.h"

#include <errno.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64url_encoded_len(size_t len)
{
    return len / 3 * 4 + (len % 3 == 0 ? 0 : len % 3 + 1);
}

void base64url_encode(struct bytes in, char *text)
{
    uint32_t bits = 0;
    unsigned bits_count = 0;

    for (size_t i = 0; i < in.len; i++) {
        bits = (bits << 8) | in.data[i];
        bits_count += 8;
        while (bits_count >= 6) {
            bits_count -= 6;
            *text++ = alphabet[(bits >> bits_count) & 0x3f];
        }
    }
    if (bits_count > 0) {
        *text++ = alphabet[(bits << (6 - bits_count)) & 0x3f];
    }
    *text = '\0';
}

/* 0…63, or -1 for a character outside the alphabet. */
static int digit_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '-') {
        return 62;
    }
    return c == '_' ? 63 : -1;
}

int base64url_decode(struct bytes text, uint8_t *out, size_t out_size, size_t *ret_len)
{
    uint32_t bits = 0;
    unsigned bits_count = 0;
    size_t len = 0;

    if (text.len % 4 == 1) {
        return -EINVAL;
    }
    if (text.len / 4 * 3 + text.len % 4 * 3 / 4 > out_size) {
        return -ENOSPC;
    }
    for (size_t i = 0; i < text.len; i++) {
        int value = digit_value(text.data[i]);

        if (value < 0) {
            return -EINVAL;
        }
        bits = (bits << 6) | (uint32_t)value;
        bits_count += 6;
        if (bits_count >= 8) {
            bits_count -= 8;
            out[len++] = (uint8_t)(bits >> bits_count);
        }
    }
    if ((bits & ((1u << bits_count) - 1)) != 0) {
        return -EINVAL;
    }
    *ret_len = len;
    return 0;
}
