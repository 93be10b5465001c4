#include "wire/address/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/check.h"

static const struct scheme {
    const char *prefix;
    bool tls;
    bool websocket;
    uint16_t port;
} schemes[] = {
    {"http://", false, false, 80},
    {"https://", true, false, 443},
    {"ws://", false, true, 80},
    {"wss://", true, true, 443},
};

static const struct scheme *scheme_find(const char *text)
{
    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
        if (strncasecmp(text, schemes[i].prefix, strlen(schemes[i].prefix)) == 0) {
            return &schemes[i];
        }
    }
    return NULL;
}

static enum url_result host_copy(struct bytes host, struct url *url)
{
    if (host.len >= sizeof url->host) {
        return URL_TOO_LONG;
    }
    return bytes_to_text(host, url->host, sizeof url->host) == 0 ? URL_OK : URL_BAD_HOST;
}

static enum url_result ipv6_parse(struct bytes host, struct url *url)
{
    struct in6_addr address;
    enum url_result result = host_copy(host, url);

    if (result != URL_OK) {
        return result;
    }
    url->ipv6 = true;
    return inet_pton(AF_INET6, url->host, &address) == 1 ? URL_OK : URL_BAD_HOST;
}

static enum url_result name_parse(struct bytes host, struct url *url)
{
    if (host.len == 0) {
        return URL_BAD_HOST;
    }
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.data[i];

        if (!isalnum(c) && c != '-' && c != '.' && c != '_') {
            return URL_BAD_HOST;
        }
    }
    return host_copy(host, url);
}

static enum url_result port_parse(struct bytes text, struct url *url)
{
    uint64_t port;

    if (text.len == 0) {
        return URL_OK;
    }
    if (text.data[0] != ':') {
        return URL_BAD_HOST;
    }
    text = bytes_skip(text, 1);
    if (text.len == 0) {
        return URL_OK; /* RFC 3986 §3.2.3: an empty port means the default */
    }
    if (text.len > 5 || bytes_to_uint64(text, &port) != 0 || port == 0 || port > UINT16_MAX) {
        return URL_BAD_PORT;
    }
    url->port = (uint16_t)port;
    return URL_OK;
}

static enum url_result authority_parse(struct bytes authority, struct url *url)
{
    enum url_result result;
    size_t host_len;

    if (bytes_find(authority, '@') < authority.len) {
        return URL_USERINFO;
    }
    if (authority.len > 0 && authority.data[0] == '[') {
        size_t end = bytes_find(authority, ']');

        if (end == authority.len) {
            return URL_BAD_HOST;
        }
        result = ipv6_parse(bytes_of(authority.data + 1, end - 1), url);
        host_len = end + 1;
    } else {
        host_len = bytes_find(authority, ':');
        result = name_parse(bytes_of(authority.data, host_len), url);
    }
    return result != URL_OK ? result : port_parse(bytes_skip(authority, host_len), url);
}

static enum url_result target_copy(struct bytes text, struct url *url)
{
    size_t len = 0;

    if (text.len == 0 || text.data[0] != '/') {
        url->target[len++] = '/';
    }
    for (size_t i = 0; i < text.len && text.data[i] != '#'; i++) {
        uint8_t c = text.data[i];
        bool escape = c == ' ' || c == '"' || c > 0x7e;

        if (c < 0x20 || c == 0x7f) {
            return URL_BAD_TARGET;
        }
        if (len + 3 >= sizeof url->target) {
            return URL_TOO_LONG;
        }
        len += (size_t)snprintf(url->target + len, 4, escape ? "%%%02X" : "%c", c);
    }
    url->target[len] = '\0';
    return URL_OK;
}

enum url_result url_parse(const char *text, struct url *ret_url)
{
    const struct scheme *scheme = scheme_find(text);
    struct url url = {0};

    if (scheme == NULL) {
        return URL_BAD_SCHEME;
    }
    url.tls = scheme->tls;
    url.websocket = scheme->websocket;
    url.port = scheme->port;
    text += strlen(scheme->prefix);

    size_t authority_len = strcspn(text, "/?#");
    enum url_result result = authority_parse(bytes_of(text, authority_len), &url);

    if (result == URL_OK) {
        result = target_copy(bytes_of_text(text + authority_len), &url);
    }
    if (result == URL_OK) {
        *ret_url = url;
    }
    return result;
}

const char *url_result_text(enum url_result result)
{
    switch (result) {
    case URL_OK:
        return "valid";
    case URL_BAD_SCHEME:
        return "it must start with https:// (or http://, wss://, ws://)";
    case URL_USERINFO:
        return "it must not contain user:password@; use a token";
    case URL_BAD_HOST:
        return "its host name is empty or not valid (write international names in punycode)";
    case URL_BAD_PORT:
        return "its port must be a number from 1 to 65535";
    case URL_BAD_TARGET:
        return "its path contains control characters";
    case URL_TOO_LONG:
        return "it is too long";
    }
    UNREACHABLE();
}

bool url_is_loopback(const struct url *url)
{
    struct in_addr address;
    struct in6_addr address6;

    if (url->ipv6) {
        return inet_pton(AF_INET6, url->host, &address6) == 1 && IN6_IS_ADDR_LOOPBACK(&address6);
    }
    if (inet_pton(AF_INET, url->host, &address) == 1) {
        return ntohl(address.s_addr) >> 24 == 127;
    }
    return strcasecmp(url->host, "localhost") == 0;
}

bool url_is_address(const struct url *url)
{
    struct in_addr address;

    return url->ipv6 || inet_pton(AF_INET, url->host, &address) == 1;
}

void url_authority(const struct url *url, char text[static URL_AUTHORITY_SIZE])
{
    uint16_t port_default = url->tls ? 443 : 80;
    int len = snprintf(text, URL_AUTHORITY_SIZE, url->ipv6 ? "[%s]" : "%s", url->host);

    if (url->port != port_default) {
        snprintf(text + len, URL_AUTHORITY_SIZE - (size_t)len, ":%u", url->port);
    }
}
