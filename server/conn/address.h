/* Addresses of peers, and lists of networks in CIDR notation. Pure but for address_of_peer; any
 * thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attributes.h"

enum address_limits { ADDRESS_NETWORKS_MAX = 64 };

/* IPv4 is kept as IPv6 ::ffff:a.b.c.d, as a socket for both families reports it. */
struct address_network {
    uint8_t address[16];
    unsigned prefix_len; /* bits, 0 to 128 */
};

struct address_list {
    struct address_network networks[ADDRESS_NETWORKS_MAX];
    unsigned count;
};

/* "127.0.0.0/8, ::1": addresses or networks, separated by commas or spaces; "loopback" stands for
 * these two. 0, or -EINVAL with ret_list untouched. */
MUST_USE int address_list_parse(const char *text, struct address_list *ret_list);
bool address_list_has(const struct address_list *list, const struct sockaddr_storage *address);

/* The other end of a connected socket; family 0 when it is gone. */
void address_of_peer(int fd, struct sockaddr_storage *ret_address);
/* Numeric, without port; IPv4 in its own notation; "unknown" for other families. */
void address_to_text(const struct sockaddr_storage *address, char *text, size_t size);
