/* Addresses of peers, and lists of networks in CIDR notation. Pure but for address_of_peer and
 * address_of_client; any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attributes.h"
#include "wire/http_request.h"

enum address_limits {
    ADDRESS_NETWORKS_MAX = 64,
    REMOTE_ADDRESS_SIZE = 64,
    REPORTED_ADDRESS_SIZE = 128, /* X-Forwarded-For: several addresses */
};

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
 * these two, "none" for nothing. 0, or -EINVAL with ret_list untouched. */
MUST_USE int address_list_parse(const char *text, struct address_list *ret_list);
bool address_list_has(const struct address_list *list, const struct sockaddr_storage *address);

/* The other end of a connected socket; family 0 when it is gone. */
void address_of_peer(int fd, struct sockaddr_storage *ret_address);
/* Numeric, without port; IPv4 in its own notation; "unknown" for other families. */
void address_to_text(const struct sockaddr_storage *address, char *text, size_t size);

/* X-Forwarded-For as the nearest proxy wrote it, or "". If it is too long, the whole addresses at
 * its end. */
void address_forwarded(const struct http_request *request, char text[static REPORTED_ADDRESS_SIZE]);

/* Addresses of the client of a request, which is NULL when it could not be read. peer: of the
 * socket. reported: X-Forwarded-For if the peer is trusted ("" when it forwards nothing), else the
 * socket's.
 */
void address_of_client(int fd, const struct http_request *request,
                       const struct address_list *trusted_proxies,
                       char peer[static REMOTE_ADDRESS_SIZE],
                       char reported[static REPORTED_ADDRESS_SIZE]);
