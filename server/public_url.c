#include "server/public_url.h"

#include <string.h>
#include <strings.h>

/* Returns what follows the scheme, or NULL. */
static const char *skip_scheme(const char *text, enum public_url_kind kind)
{
    static const char *const schemes[][2] = {
        [PUBLIC_URL_HTTP] = {"http://", "https://"},
        [PUBLIC_URL_WEBSOCKET] = {"ws://", "wss://"},
    };

    for (unsigned i = 0; i < 2; i++) {
        size_t len = strlen(schemes[kind][i]);

        if (strncasecmp(text, schemes[kind][i], len) == 0) {
            return text + len;
        }
    }
    return NULL;
}

static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text > '~') {
            return false;
        }
    }
    return true;
}

/* authority: host, or [IPv6 address], and the port with its colon, if any. */
static enum public_url_fault check_authority(const char *authority, size_t len)
{
    size_t host_len = 0;
    unsigned port = 0;

    if (memchr(authority, '@', len) != NULL) {
        return PUBLIC_URL_USER;
    }
    if (authority[0] == '[') {
        const char *end = memchr(authority, ']', len);

        host_len = end == NULL ? 0 : (size_t)(end - authority) + 1;
    } else {
        host_len = strcspn(authority, ":/?#");
    }
    if (host_len == 0 || host_len > len) {
        return PUBLIC_URL_HOST;
    }
    if (host_len == len) {
        return PUBLIC_URL_OK;
    }
    if (authority[host_len] != ':' || len - host_len > sizeof "65535") {
        return PUBLIC_URL_PORT;
    }
    for (size_t i = host_len + 1; i < len; i++) {
        if (authority[i] < '0' || authority[i] > '9') {
            return PUBLIC_URL_PORT;
        }
        port = port * 10 + (unsigned)(authority[i] - '0');
    }
    return port == 0 || port > 65535 ? PUBLIC_URL_PORT : PUBLIC_URL_OK;
}

enum public_url_fault public_url_check(const char *text, enum public_url_kind kind)
{
    if (!is_plain(text)) {
        return PUBLIC_URL_BLANK;
    }
    const char *authority = skip_scheme(text, kind);

    if (authority == NULL) {
        return PUBLIC_URL_SCHEME;
    }
    enum public_url_fault fault = check_authority(authority, strcspn(authority, "/?#"));

    if (fault != PUBLIC_URL_OK) {
        return fault;
    }
    if (strpbrk(authority, "?#") != NULL) {
        return PUBLIC_URL_QUERY;
    }
    return text[strlen(text) - 1] == '/' ? PUBLIC_URL_SLASH : PUBLIC_URL_OK;
}

const char *public_url_fault_text(enum public_url_fault fault, enum public_url_kind kind)
{
    static const char *const texts[PUBLIC_URL_FAULTS] = {
        [PUBLIC_URL_OK] = "is a URL",
        [PUBLIC_URL_BLANK] = "holds a blank, a control character or one outside ASCII: remove it, "
                             "or write it percent-encoded",
        [PUBLIC_URL_USER] = "names a user in front of @, which clients refuse: remove it",
        [PUBLIC_URL_HOST] = "names no host after //: add it",
        [PUBLIC_URL_PORT] = "has a port that is not 1 to 65535: correct it, or leave it out with "
                            "its colon",
        [PUBLIC_URL_QUERY] = "holds ? or #: end it with the path, which is continued",
        [PUBLIC_URL_SLASH] = "ends with a slash: remove it, as the path is continued with one",
    };

    if (fault == PUBLIC_URL_SCHEME) {
        return kind == PUBLIC_URL_HTTP ? "must begin with https:// or http://"
                                       : "must begin with wss:// or ws://";
    }
    return texts[fault];
}
