#include "wire/request_target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* Length of "http://" or "https://" at the start, or 0. Schemes are case-insensitive (RFC 3986
 * §3.1). */
static size_t scheme_len(struct bytes target)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
        size_t len = strlen(schemes[i]);

        if (target.len >= len && bytes_equal_text_nocase(bytes_of(target.data, len), schemes[i])) {
            return len;
        }
    }
    return 0;
}

static size_t first_of(struct bytes in, const char *set)
{
    for (size_t i = 0; i < in.len; i++) {
        if (in.data[i] != '\0' && strchr(set, in.data[i]) != NULL) {
            return i;
        }
    }
    return in.len;
}

/* Characters of a registered name, less the percent sign (RFC 3986 §3.2.2). */
static bool is_name_char(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("-._~!$&'()*+,;=", c) != NULL);
}

static bool name_is_valid(struct bytes name)
{
    while (name.len > 0) {
        bool is_escape = name.data[0] == '%';

        if (is_escape ? name.len < 3 || bytes_hex_digit_value(name.data[1]) < 0 ||
                            bytes_hex_digit_value(name.data[2]) < 0
                      : !is_name_char(name.data[0])) {
            return false;
        }
        name = bytes_skip(name, is_escape ? 3 : 1);
    }
    return true;
}

/* The address in square brackets. IPvFuture is refused: no such version exists. */
static bool is_ipv6(struct bytes text)
{
    char terminated[INET6_ADDRSTRLEN];
    struct in6_addr address;

    return memchr(text.data, '\0', text.len) == NULL &&
           bytes_to_text(text, terminated, sizeof terminated) == 0 &&
           inet_pton(AF_INET6, terminated, &address) == 1;
}

static bool is_port(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return true;
}

bool request_target_authority_is_valid(struct bytes authority)
{
    size_t host_len;
    bool is_host;

    if (authority.len > 0 && authority.data[0] == '[') {
        size_t end = bytes_find(authority, ']');

        host_len = end + 1;
        is_host = end < authority.len && is_ipv6(bytes_of(authority.data + 1, end - 1));
    } else {
        host_len = bytes_find(authority, ':');
        is_host = name_is_valid(bytes_of(authority.data, host_len));
    }
    struct bytes rest = bytes_skip(authority, host_len);

    return is_host && (rest.len == 0 || (rest.data[0] == ':' && is_port(bytes_skip(rest, 1))));
}

struct bytes request_target_path_of_url(const char *url)
{
    const char *scheme_end = strstr(url, "://");
    struct bytes rest = bytes_of_text(scheme_end == NULL ? url : scheme_end + 3);

    rest.len = first_of(rest, "?#");
    rest = bytes_skip(rest, bytes_find(rest, '/'));
    while (rest.len > 0 && rest.data[rest.len - 1] == '/') {
        rest.len--;
    }
    return rest;
}

int request_target_split(struct bytes target, struct bytes *ret_path, struct bytes *ret_query)
{
    size_t scheme = scheme_len(target);
    struct bytes rest = target;

    if (scheme > 0) {
        size_t authority = first_of(bytes_skip(target, scheme), "/?#");

        if (authority == 0 || target.data[scheme] == ':' ||
            !request_target_authority_is_valid(bytes_of(target.data + scheme, authority))) {
            return -EINVAL;
        }
        rest = bytes_skip(target, scheme + authority);
    } else if (target.len == 0 || target.data[0] != '/') {
        return -EINVAL;
    }
    rest.len = bytes_find(rest, '#');
    size_t path_len = bytes_find(rest, '?');

    /* "http://host" and "http://host?x" mean the root (RFC 9110 §4.2.3). */
    *ret_path = path_len == 0 ? bytes_of_text("/") : bytes_of(rest.data, path_len);
    *ret_query = bytes_skip(rest, path_len + 1);
    return 0;
}

/* Length of text without its last "/segment". */
static size_t parent_len(const char *text, size_t len)
{
    while (len > 0 && text[len - 1] != '/') {
        len--;
    }
    return len > 0 ? len - 1 : 0;
}

int request_target_clean_path(struct bytes path, char *text, size_t text_size)
{
    size_t len = 0;

    if (text_size < sizeof "/") {
        return -ENOSPC;
    }
    while (path.len > 0) {
        struct bytes segment = bytes_of(path.data, bytes_find(path, '/'));

        path = bytes_skip(path, segment.len + 1);
        if (segment.len == 0 || bytes_equal_text(segment, ".")) {
            continue;
        }
        if (bytes_equal_text(segment, "..")) {
            len = parent_len(text, len);
            continue;
        }
        if (segment.len + 1 >= text_size - len) {
            return -ENOSPC;
        }
        text[len] = '/';
        memcpy(text + len + 1, segment.data, segment.len);
        len += 1 + segment.len;
    }
    if (len == 0) {
        text[len++] = '/';
    }
    text[len] = '\0';
    return 0;
}

/* Takes one decoded character from the front of *in, which must not be empty. Never NUL: a C string
 * would end there, and two parts of the program would see different texts. */
static int decode_next(struct bytes *in, bool plus_is_space)
{
    uint8_t c = in->data[0];
    size_t used = 1;

    if (c == '%') {
        int high = in->len >= 3 ? bytes_hex_digit_value(in->data[1]) : -1;
        int low = in->len >= 3 ? bytes_hex_digit_value(in->data[2]) : -1;

        if (high < 0 || low < 0) {
            return -EINVAL;
        }
        c = (uint8_t)(high << 4 | low);
        used = 3;
    } else if (c == '+' && plus_is_space) {
        c = ' ';
    }
    *in = bytes_skip(*in, used);
    return c == '\0' ? -EINVAL : c;
}

static int decode(struct bytes in, bool plus_is_space, char *text, size_t text_size)
{
    size_t len = 0;

    while (in.len > 0) {
        int c = decode_next(&in, plus_is_space);

        if (c < 0) {
            return c;
        }
        if (len + 1 >= text_size) {
            return -ENOSPC;
        }
        text[len++] = (char)c;
    }
    if (len >= text_size) {
        return -ENOSPC;
    }
    text[len] = '\0';
    return 0;
}

int request_target_decode(struct bytes in, char *text, size_t text_size)
{
    return decode(in, false, text, text_size);
}

static bool is_uri_char(uint8_t c)
{
    return is_name_char(c) || (c != '\0' && strchr("%:/?#[]@", c) != NULL);
}

int request_target_escape(struct bytes in, char *text, size_t text_size)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t len = 0;

    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.data[i];
        bool is_plain = is_uri_char(c);

        if (len + (is_plain ? 1 : 3) >= text_size) {
            return -ENOSPC;
        }
        text[len++] = is_plain ? (char)c : '%';
        if (!is_plain) {
            text[len++] = digits[c >> 4];
            text[len++] = digits[c & 15];
        }
    }
    if (len >= text_size) {
        return -ENOSPC;
    }
    text[len] = '\0';
    return 0;
}

static bool form_is_valid(struct bytes in)
{
    while (in.len > 0) {
        if (decode_next(&in, true) < 0) {
            return false;
        }
    }
    return true;
}

static bool form_equals(struct bytes in, const char *text)
{
    while (in.len > 0 && *text != '\0') {
        if (decode_next(&in, true) != (uint8_t)*text) {
            return false;
        }
        text++;
    }
    return in.len == 0 && *text == '\0';
}

int request_target_query_value(struct bytes query, const char *name, enum query_which which,
                               char *text, size_t text_size)
{
    struct bytes found = {0};
    bool is_found = false;

    while (query.len > 0 && !(is_found && which == QUERY_FIRST)) {
        struct bytes pair = bytes_of(query.data, bytes_find(query, '&'));
        struct bytes key = bytes_of(pair.data, bytes_find(pair, '='));
        struct bytes value = bytes_skip(pair, key.len + 1);

        query = bytes_skip(query, pair.len + 1);
        if (form_equals(key, name) && form_is_valid(value)) {
            found = value;
            is_found = true;
        }
    }
    return is_found ? decode(found, true, text, text_size) : -ENOENT;
}
