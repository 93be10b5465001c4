/* Reaches url_parse, url_authority, url_is_loopback, url_is_address. An accepted URL can stand in a
 * request line, and reassembled from its parts it is the same URL. Input: a URL. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "wire/address/url.h"

enum { TEXT_BYTES_MAX = 6000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        CHECK(*text > ' ' && *text <= '~');
    }
}

static void check_round_trip(const struct url *url)
{
    char text[URL_AUTHORITY_SIZE + URL_TARGET_SIZE + 16];
    char authority[URL_AUTHORITY_SIZE];
    struct url again;
    const char *scheme = url->websocket ? "ws" : "http";

    url_authority(url, authority);
    check_printable(authority);
    snprintf(text, sizeof text, "%s%s://%s%s", scheme, url->tls ? "s" : "", authority, url->target);
    /* The longest targets leave no room to be taken once more; they are refused, not cut. */
    enum url_result result = url_parse(text, &again);

    CHECK(result == URL_OK ||
          (result == URL_TOO_LONG && strlen(url->target) > URL_TARGET_SIZE - 4));
    if (result == URL_OK) {
        CHECK(again.tls == url->tls && again.websocket == url->websocket);
        CHECK(again.ipv6 == url->ipv6 && again.port == url->port);
        CHECK(strcmp(again.host, url->host) == 0);
        CHECK(strcmp(again.target, url->target) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_BYTES_MAX + 1];
    struct url url = {.port = 7};

    if (size > TEXT_BYTES_MAX) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    if (url_parse(text, &url) != URL_OK) {
        CHECK(url.port == 7 && url.host[0] == '\0');
        return 0;
    }
    CHECK(url.port > 0 && url.host[0] != '\0' && url.target[0] == '/');
    CHECK(strpbrk(url.host, "@/?#[] ") == NULL);
    check_printable(url.host);
    check_printable(url.target);
    CHECK(!url.ipv6 || url_is_address(&url));
    CHECK(!url_is_loopback(&url) || url_is_address(&url) || strlen(url.host) == 9);
    check_round_trip(&url);
    return 0;
}
