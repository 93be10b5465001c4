/* The proxy that the environment names for a URL (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), as Go reads
 * it. Pure, any thread. */
#pragma once

#include "base/attributes.h"
#include "wire/address/url.h"

enum proxy_sizes { PROXY_CREDENTIALS_SIZE = 512 };

/* Values of the variables; NULL or empty: not set. */
struct proxy_environment {
    const char *http, *https; /* "http://[user:password@]host[:port]" or without the scheme */
    const char *no_proxy; /* with commas between them: "*", a domain with all below it, ".domain"
                             for those below it, an address, a network "10.0.0.0/8"; each but the
                             first and the last may have ":port" */
};

struct proxy {
    struct url url;                           /* of the proxy */
    char credentials[PROXY_CREDENTIALS_SIZE]; /* "user:password", decoded; "": none */
};

enum proxy_result {
    PROXY_DIRECT,  /* no proxy; always for this machine itself */
    PROXY_USE,     /* *ret_proxy */
    PROXY_INVALID, /* the variable holds no usable address: a proxy of http:// */
};

/* The one proxy for every URL but those of this machine itself, whatever the environment says.
 * "none": none. */
enum proxy_result proxy_take(const char *text, const struct url *url, struct proxy *ret_proxy);

enum proxy_result proxy_choose(const struct proxy_environment *environment, const struct url *url,
                               struct proxy *ret_proxy);
