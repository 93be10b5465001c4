/* Origin and Host of a request (RFC 6454 §7): which page sent it, and by which name the server was
 * found. Pure, any thread. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

/* True if the origin is http or https, and has the host and port that Host names: the page came
 * from this server. "null" and lists have none. */
bool origin_is_same(struct bytes origin, struct bytes host);

/* True if no foreign name server can have led a browser here: Host is an address, localhost or a
 * name below it, or the machine's own name, alone or with ".local"; with or without a port. machine
 * may be empty. */
bool origin_host_is_own(struct bytes host, const char *machine);
