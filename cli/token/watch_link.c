#include "cli/token/watch_link.h"

#include <string.h>

/* RFC 3986 §2.3: what needs no escape anywhere. */
static const char unreserved[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

static int escape(FILE *out, const char *text)
{
    int written = 0;

    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        int result =
            strchr(unreserved, *at) != NULL ? fputc(*at, out) : fprintf(out, "%%%02X", *at);

        if (result < 0) {
            return -1;
        }
        written++;
    }
    return written;
}

int watch_link_print(FILE *out, const char *audience, const char *topic, const char *token)
{
    size_t len = strlen(audience);

    while (len > 0 && audience[len - 1] == '/') {
        len--;
    }
    if (fprintf(out, "%.*s/watch#topic=", (int)len, audience) < 0 || escape(out, topic) < 0) {
        return -1;
    }
    return fprintf(out, "&token=%s\n", token); /* of base64url and dots */
}
