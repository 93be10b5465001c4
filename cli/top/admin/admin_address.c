#include "cli/top/admin/admin_address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/bytes.h"

static bool parse_path(const char *path, struct admin_address *address)
{
    struct sockaddr_un *name = (struct sockaddr_un *)&address->address;

    if (strlen(path) >= sizeof name->sun_path) {
        return false;
    }
    name->sun_family = AF_UNIX;
    memcpy(name->sun_path, path, strlen(path));
    address->len = sizeof *name;
    return true;
}

/* Without the brackets of "[::1]". */
static struct bytes host_of(const char *text, const char *colon)
{
    struct bytes host = bytes_of(text, (size_t)(colon - text));

    if (host.len > 1 && host.data[0] == '[' && host.data[host.len - 1] == ']') {
        return bytes_of(host.data + 1, host.len - 2);
    }
    return host;
}

static bool parse_numbers(const char *text, struct admin_address *address)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    const char *colon = strrchr(text, ':');
    struct addrinfo *found;
    char host[64];
    uint64_t port;

    if (colon == NULL || bytes_to_text(host_of(text, colon), host, sizeof host) != 0 ||
        host[0] == '\0' || bytes_to_uint64(bytes_of_text(colon + 1), &port) != 0 || port == 0 ||
        port > UINT16_MAX || getaddrinfo(host, colon + 1, &hints, &found) != 0) {
        return false;
    }
    memcpy(&address->address, found->ai_addr, found->ai_addrlen);
    address->len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

bool admin_address_parse(const char *text, struct admin_address *ret_address)
{
    *ret_address = (struct admin_address){0};
    snprintf(ret_address->text, sizeof ret_address->text, "%s", text);
    return text[0] == '/' ? parse_path(text, ret_address) : parse_numbers(text, ret_address);
}
