#include "wire/address/origin.h"

#include <arpa/inet.h>
#include <string.h>

enum { ADDRESS_SIZE = 64 };

static bool ends_with_nocase(struct bytes text, const char *end)
{
    size_t len = strlen(end);

    return text.len >= len && bytes_equal_text_nocase(bytes_skip(text, text.len - len), end);
}

static bool equal_nocase(struct bytes a, struct bytes b)
{
    char text[256];

    return bytes_to_text(b, text, sizeof text) == 0 && strlen(text) == b.len &&
           bytes_equal_text_nocase(a, text);
}

bool origin_is_same(struct bytes origin, struct bytes host)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
        size_t len = strlen(schemes[i]);

        if (origin.len > len && bytes_equal_text_nocase(bytes_of(origin.data, len), schemes[i])) {
            return equal_nocase(bytes_skip(origin, len), host);
        }
    }
    return false;
}

static bool is_address(int family, struct bytes name)
{
    char text[ADDRESS_SIZE];
    struct in6_addr address;

    return bytes_to_text(name, text, sizeof text) == 0 && strlen(text) == name.len &&
           inet_pton(family, text, &address) == 1;
}

bool origin_host_is_own(struct bytes host, const char *machine)
{
    size_t machine_len = strlen(machine);

    if (host.len > 0 && host.data[0] == '[') {
        struct bytes inside = bytes_skip(host, 1);
        size_t len = bytes_find(inside, ']');
        struct bytes rest = bytes_skip(inside, len + 1);

        return (rest.len == 0 || rest.data[0] == ':') &&
               is_address(AF_INET6, bytes_of(inside.data, len));
    }
    struct bytes name = bytes_of(host.data, bytes_find(host, ':'));

    if (is_address(AF_INET, name) || bytes_equal_text_nocase(name, "localhost") ||
        ends_with_nocase(name, ".localhost")) {
        return true;
    }
    return machine_len > 0 && name.len >= machine_len &&
           bytes_equal_text_nocase(bytes_of(name.data, machine_len), machine) &&
           (name.len == machine_len ||
            bytes_equal_text_nocase(bytes_skip(name, machine_len), ".local"));
}
