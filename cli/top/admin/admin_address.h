/* Where a relay's admin listener is, in the words of its own option RELAY_ADMIN_LISTEN. Pure but
 * for the reading of numeric addresses; any thread. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "base/attributes.h"

enum admin_address_limits { ADMIN_ADDRESS_TEXT_SIZE = 128 };

struct admin_address {
    struct sockaddr_storage address;
    socklen_t len;
    char text[ADMIN_ADDRESS_TEXT_SIZE]; /* as it was given */
};

/* address:port with a numeric address, or the path of a Unix socket. False: it is neither. */
MUST_USE bool admin_address_parse(const char *text, struct admin_address *ret_address);
