#include "server/conn/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"

enum { MAPPED_BITS = 96, ITEM_SIZE = 64 };

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static void map_ipv4(const void *ipv4, uint8_t address[static 16])
{
    memcpy(address, mapped_prefix, sizeof mapped_prefix);
    memcpy(address + sizeof mapped_prefix, ipv4, 4);
}

static int parse_network(char *item, struct address_network *network)
{
    char *slash = strchr(item, '/');
    uint8_t ipv4[4];
    unsigned base = 0;
    unsigned bits_max = 128;
    uint64_t bits;

    if (slash != NULL) {
        *slash = '\0';
    }
    if (inet_pton(AF_INET, item, ipv4) == 1) {
        map_ipv4(ipv4, network->address);
        base = MAPPED_BITS;
        bits_max = 32;
    } else if (inet_pton(AF_INET6, item, network->address) != 1) {
        return -EINVAL;
    }
    bits = bits_max;
    if (slash != NULL &&
        (bytes_to_uint64(bytes_of_text(slash + 1), &bits) != 0 || bits > bits_max)) {
        return -EINVAL;
    }
    network->prefix_len = base + (unsigned)bits;
    return 0;
}

static int add_item(struct address_list *list, char *item)
{
    if (strcmp(item, "loopback") == 0) {
        char ipv4[] = "127.0.0.0/8";
        char ipv6[] = "::1";
        int failed = add_item(list, ipv4);

        return failed != 0 ? failed : add_item(list, ipv6);
    }
    if (strcmp(item, "none") == 0) {
        return 0;
    }
    if (list->count == ADDRESS_NETWORKS_MAX) {
        return -EINVAL;
    }
    int failed = parse_network(item, &list->networks[list->count]);

    list->count += failed == 0;
    return failed;
}

int address_list_parse(const char *text, struct address_list *ret_list)
{
    struct address_list list = {0};

    while (*text != '\0') {
        char item[ITEM_SIZE];
        size_t len = strcspn(text, ", ");

        if (len >= sizeof item) {
            return -EINVAL;
        }
        memcpy(item, text, len);
        item[len] = '\0';
        if (len > 0 && add_item(&list, item) != 0) {
            return -EINVAL;
        }
        text += len + (text[len] != '\0');
    }
    *ret_list = list;
    return 0;
}

static bool is_inside(const struct address_network *network, const uint8_t address[static 16])
{
    unsigned whole = network->prefix_len / 8;
    unsigned rest = network->prefix_len % 8;

    if (memcmp(network->address, address, whole) != 0) {
        return false;
    }
    return rest == 0 || (network->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

static bool to_ipv6(const struct sockaddr_storage *address, uint8_t ret_address[static 16])
{
    if (address->ss_family == AF_INET) {
        map_ipv4(&((const struct sockaddr_in *)(const void *)address)->sin_addr, ret_address);
    } else if (address->ss_family == AF_INET6) {
        memcpy(ret_address, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    } else {
        return false;
    }
    return true;
}

bool address_list_has(const struct address_list *list, const struct sockaddr_storage *address)
{
    uint8_t bytes[16];

    if (!to_ipv6(address, bytes)) {
        return false;
    }
    for (unsigned i = 0; i < list->count; i++) {
        if (is_inside(&list->networks[i], bytes)) {
            return true;
        }
    }
    return false;
}

void address_of_peer(int fd, struct sockaddr_storage *ret_address)
{
    socklen_t len = sizeof *ret_address;

    *ret_address = (struct sockaddr_storage){0};
    if (getpeername(fd, (struct sockaddr *)ret_address, &len) != 0) {
        ret_address->ss_family = 0;
    }
}

void address_to_text(const struct sockaddr_storage *address, char *text, size_t size)
{
    uint8_t bytes[16];
    bool is_known = to_ipv6(address, bytes);
    bool is_ipv4 = is_known && memcmp(bytes, mapped_prefix, sizeof mapped_prefix) == 0;

    if (!is_known || inet_ntop(is_ipv4 ? AF_INET : AF_INET6, is_ipv4 ? bytes + 12 : bytes, text,
                               (socklen_t)size) == NULL) {
        snprintf(text, size, "unknown");
    }
}

/* Proxies append to what the client claimed, in the field or as another one: only the end is worth
 * something, so that is what is kept of a long one. Half an address would be another client's. */
void address_forwarded(const struct http_request *request, char text[static REPORTED_ADDRESS_SIZE])
{
    struct bytes value = {0};

    text[0] = '\0';
    if (!http_request_last_field(request, "X-Forwarded-For", &value)) {
        return;
    }
    if (value.len >= REPORTED_ADDRESS_SIZE) {
        value = bytes_skip(value, value.len - REPORTED_ADDRESS_SIZE);
        value = bytes_trim(bytes_skip(value, bytes_find(value, ',') + 1));
    }
    CHECK(bytes_to_text(value, text, REPORTED_ADDRESS_SIZE) == 0);
}

void address_of_client(int fd, const struct http_request *request,
                       const struct address_list *trusted_proxies,
                       char peer[static REMOTE_ADDRESS_SIZE],
                       char reported[static REPORTED_ADDRESS_SIZE])
{
    struct sockaddr_storage address;

    address_of_peer(fd, &address);
    address_to_text(&address, peer, REMOTE_ADDRESS_SIZE);
    if (request != NULL && address_list_has(trusted_proxies, &address)) {
        address_forwarded(request, reported);
    } else {
        snprintf(reported, REPORTED_ADDRESS_SIZE, "%s", peer);
    }
}
