/* Reaches proxy_choose. A proxy that is used has an address, and credentials that end. Input: the
 * variable, a zero byte, NO_PROXY, a zero byte, the URL. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "wire/address/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 3); /* three texts, whatever comes */
    struct proxy proxy;
    struct url url;

    CHECK(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    const char *no_proxy = text + strlen(text) + 1;
    size_t used = (size_t)(no_proxy - text) + strlen(no_proxy) + 1;
    struct proxy_environment environment = {.http = text, .https = text, .no_proxy = no_proxy};

    if (used < size + 3 && url_parse(text + used, &url) == URL_OK &&
        proxy_choose(&environment, &url, &proxy) == PROXY_USE) {
        CHECK(proxy.url.host[0] != '\0' && proxy.url.port != 0 && !proxy.url.tls);
        CHECK(memchr(proxy.credentials, '\0', sizeof proxy.credentials) != NULL);
        CHECK(!url_is_loopback(&url));
    }
    free(text);
    return 0;
}
