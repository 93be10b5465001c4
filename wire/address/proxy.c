#include "wire/address/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "wire/request_target.h"

enum { ENTRY_SIZE = URL_HOST_SIZE + 8, ADDRESS_BYTES_MAX = 16 };

/* The bytes of an address; 0: it is none. */
static size_t address_read(const char *text, uint8_t address[static ADDRESS_BYTES_MAX])
{
    if (inet_pton(AF_INET, text, address) == 1) {
        return sizeof(struct in_addr);
    }
    return inet_pton(AF_INET6, text, address) == 1 ? sizeof(struct in6_addr) : 0;
}

static bool bits_equal(const uint8_t *a, const uint8_t *b, size_t bits)
{
    size_t rest = bits % 8;

    if (memcmp(a, b, bits / 8) != 0) {
        return false;
    }
    return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

/* "10.0.0.0/8" */
static bool network_matches(const char *entry, const char *slash, const char *host)
{
    uint8_t network[ADDRESS_BYTES_MAX], address[ADDRESS_BYTES_MAX];
    char text[ENTRY_SIZE];
    uint64_t bits;

    snprintf(text, sizeof text, "%.*s", (int)(slash - entry), entry);
    size_t len = address_read(text, network);

    return len > 0 && address_read(host, address) == len &&
           bytes_to_uint64(bytes_of_text(slash + 1), &bits) == 0 && bits <= 8 * len &&
           bits_equal(network, address, (size_t)bits);
}

/* A name with all below it; with a dot in front, those below it alone. */
static bool name_matches(const char *entry, const char *host)
{
    size_t entry_len = strlen(entry), host_len = strlen(host);

    if (entry[0] != '.' && strcasecmp(entry, host) == 0) {
        return true;
    }
    size_t tail_len = entry[0] == '.' ? entry_len : entry_len + 1;

    if (host_len <= tail_len || host[host_len - tail_len] != '.') {
        return false;
    }
    return strcasecmp(host + host_len - entry_len, entry) == 0;
}

/* Cuts ":port" and brackets off the entry. False: the entry is for another port. */
static bool port_matches(char *entry, const struct url *url)
{
    uint8_t address[ADDRESS_BYTES_MAX];
    char *colon = strrchr(entry, ':');
    size_t len = strlen(entry);
    uint64_t port = url->port;

    if (address_read(entry, address) == 0 && colon != NULL &&
        bytes_to_uint64(bytes_of_text(colon + 1), &port) == 0) {
        *colon = '\0';
        len = strlen(entry);
    }
    if (entry[0] == '[' && len > 1 && entry[len - 1] == ']') {
        memmove(entry, entry + 1, len - 2);
        entry[len - 2] = '\0';
    }
    return port == url->port;
}

static bool entry_matches(struct bytes item, const struct url *url)
{
    char entry[ENTRY_SIZE];
    const char *slash;

    if (item.len == 0 || bytes_to_text(item, entry, sizeof entry) != 0) {
        return false;
    }
    if (strcmp(entry, "*") == 0) {
        return true;
    }
    slash = strchr(entry, '/');
    if (slash != NULL) {
        return network_matches(entry, slash, url->host);
    }
    return port_matches(entry, url) && name_matches(entry, url->host);
}

static bool is_direct(const char *no_proxy, const struct url *url)
{
    struct bytes list = bytes_of_text(no_proxy == NULL ? "" : no_proxy);

    if (url_is_loopback(url)) {
        return true;
    }
    while (list.len > 0) {
        if (entry_matches(bytes_take_item(&list), url)) {
            return true;
        }
    }
    return false;
}

/* Takes "user:password@" off the authority. */
static bool take_credentials(struct bytes *rest, struct proxy *proxy)
{
    struct bytes authority = bytes_of(rest->data, bytes_find(*rest, '/'));
    size_t at = authority.len;

    while (at > 0 && authority.data[at - 1] != '@') {
        at--;
    }
    if (at == 0) {
        return true;
    }
    *rest = bytes_skip(*rest, at);
    return request_target_decode(bytes_of(authority.data, at - 1), proxy->credentials,
                                 sizeof proxy->credentials) == 0;
}

static bool proxy_read(const char *text, struct proxy *proxy)
{
    struct bytes rest = bytes_of_text(text);
    char address[URL_TARGET_SIZE];

    proxy->credentials[0] = '\0';
    if (strncasecmp(text, "http://", strlen("http://")) == 0) {
        rest = bytes_skip(rest, strlen("http://"));
    } else if (strstr(text, "://") != NULL) {
        return false;
    }
    if (!take_credentials(&rest, proxy) ||
        snprintf(address, sizeof address, "http://%.*s", (int)rest.len, (const char *)rest.data) >=
            (int)sizeof address) {
        return false;
    }
    return url_parse(address, &proxy->url) == URL_OK;
}

enum proxy_result proxy_take(const char *text, const struct url *url, struct proxy *ret_proxy)
{
    struct proxy proxy;

    if (strcmp(text, "none") == 0 || url_is_loopback(url)) {
        return PROXY_DIRECT;
    }
    bool is_good = proxy_read(text, &proxy);

    if (is_good) {
        *ret_proxy = proxy;
    }
    bytes_wipe(proxy.credentials, sizeof proxy.credentials);
    return is_good ? PROXY_USE : PROXY_INVALID;
}

enum proxy_result proxy_choose(const struct proxy_environment *environment, const struct url *url,
                               struct proxy *ret_proxy)
{
    const char *text = url->tls ? environment->https : environment->http;

    return text_is_empty(text) || is_direct(environment->no_proxy, url)
               ? PROXY_DIRECT
               : proxy_take(text, url, ret_proxy);
}
