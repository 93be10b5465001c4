#include "base/bytes.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

struct bytes bytes_of(const void *data, size_t len)
{
    return (struct bytes){.data = data, .len = len};
}

struct bytes bytes_of_text(const char *text)
{
    return bytes_of(text, strlen(text));
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool bytes_equal_text(struct bytes a, const char *text)
{
    return bytes_equal(a, bytes_of_text(text));
}

bool bytes_equal_text_nocase(struct bytes a, const char *text)
{
    return a.len == strlen(text) &&
           (a.len == 0 || strncasecmp((const char *)a.data, text, a.len) == 0);
}

bool bytes_equal_secret(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}

bool bytes_start_with(struct bytes a, const char *prefix)
{
    size_t len = strlen(prefix);

    return a.len >= len && (len == 0 || memcmp(a.data, prefix, len) == 0);
}

struct bytes bytes_skip(struct bytes a, size_t offset)
{
    if (offset >= a.len) {
        return bytes_of(NULL, 0);
    }
    return bytes_of(a.data + offset, a.len - offset);
}

size_t bytes_find(struct bytes a, char c)
{
    const uint8_t *found = a.len == 0 ? NULL : memchr(a.data, c, a.len);

    return found == NULL ? a.len : (size_t)(found - a.data);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static bool is_blank_or_line_end(uint8_t c)
{
    return is_blank(c) || c == '\r' || c == '\n';
}

static struct bytes without_ends(struct bytes a, bool (*is_dropped)(uint8_t c))
{
    while (a.len > 0 && is_dropped(a.data[0])) {
        a = bytes_skip(a, 1);
    }
    while (a.len > 0 && is_dropped(a.data[a.len - 1])) {
        a.len--;
    }
    return a;
}

struct bytes bytes_trim(struct bytes a)
{
    return without_ends(a, is_blank);
}

struct bytes bytes_strip(struct bytes a)
{
    return without_ends(a, is_blank_or_line_end);
}

struct bytes bytes_take_item(struct bytes *list)
{
    size_t len = bytes_find(*list, ',');
    struct bytes item = bytes_trim(bytes_of(list->data, len));

    *list = bytes_skip(*list, len + 1);
    return item;
}

bool bytes_list_has_nocase(struct bytes list, const char *token)
{
    while (list.len > 0) {
        if (bytes_equal_text_nocase(bytes_take_item(&list), token)) {
            return true;
        }
    }
    return false;
}

int bytes_to_text(struct bytes a, char *text, size_t text_size)
{
    if (a.len >= text_size) {
        return -ENOSPC;
    }
    if (a.len > 0) {
        memcpy(text, a.data, a.len);
    }
    text[a.len] = '\0';
    return 0;
}

int bytes_to_uint64(struct bytes a, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (a.len == 0) {
        return -EINVAL;
    }
    for (size_t i = 0; i < a.len; i++) {
        unsigned digit = (unsigned)a.data[i] - '0';

        if (digit > 9 || __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value)) {
            return -EINVAL;
        }
    }
    *ret_value = value;
    return 0;
}

int bytes_hex_digit_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_is_empty(const char *text)
{
    return text == NULL || text[0] == '\0';
}

uint64_t bytes_hash(uint64_t hash, struct bytes a)
{
    hash ^= UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < a.len; i++) {
        hash = (hash ^ a.data[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

void bytes_wipe(void *data, size_t len)
{
    if (data != NULL) {
        OPENSSL_cleanse(data, len);
    }
}
