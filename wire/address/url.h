/* The http, https, ws and wss URLs that programs dial. Pure, any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"

enum url_sizes {
    URL_HOST_SIZE = 256,
    URL_TARGET_SIZE = 4096,
    URL_AUTHORITY_SIZE = URL_HOST_SIZE + 8, /* brackets, colon, port */
};

enum url_result {
    URL_OK,
    URL_BAD_SCHEME,
    URL_USERINFO, /* user:password@ is refused: it would end up in logs */
    URL_BAD_HOST,
    URL_BAD_PORT,
    URL_BAD_TARGET, /* control characters */
    URL_TOO_LONG,
};

struct url {
    bool tls;       /* https, wss */
    bool websocket; /* ws, wss */
    bool ipv6;      /* the host is an IPv6 address, kept without brackets */
    uint16_t port;
    char host[URL_HOST_SIZE];
    char target[URL_TARGET_SIZE]; /* path and query; never empty. Spaces and bytes above ASCII are
                                     percent-encoded; a fragment is left out */
};

/* *ret_url is untouched on failure. */
MUST_USE enum url_result url_parse(const char *text, struct url *ret_url);

/* "the scheme must be …": never the URL itself, which may hold secrets. */
const char *url_result_text(enum url_result result);

/* localhost, 127.0.0.0/8 or ::1, as written. */
bool url_is_loopback(const struct url *url);

/* The host is an address, not a name. */
bool url_is_address(const struct url *url);

/* host, or host:port when the port is not the scheme's own; as the Host header wants it. */
void url_authority(const struct url *url, char text[static URL_AUTHORITY_SIZE]);
