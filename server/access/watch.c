/* GET /watch: a page that shows a topic, where RELAY_WATCH_PAGE is set. It is one file of the
 * program itself (web/watch/), and all that it may load or talk to is this relay. */
#include "server/access/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "embedded/watch_page.h"
#include "embedded/watch_policy.h"

/* The header fields of an answer have ACCESS_FIELDS_SIZE together. */
enum { ORIGIN_BYTES_MAX = 128, POLICY_SIZE = 512 };

/* Scheme and authority of the URL that WebSockets have; any, where these are too long for a field.
 */
static struct bytes websocket_origin(const char *url)
{
    const char *host = strstr(url, "://");
    size_t len = host == NULL ? 0 : (size_t)(host - url) + 3 + strcspn(host + 3, "/");

    return len > 0 && len <= ORIGIN_BYTES_MAX ? bytes_of(url, len) : bytes_of_text("ws: wss:");
}

/* The hashes allow the script and the style of the page, and nothing that finds its way into it. */
static void add_policy(const struct access_call *call, struct access_reply *reply)
{
    struct bytes hashes = bytes_trim(
        bytes_of(watch_policy, bytes_find(bytes_of(watch_policy, sizeof watch_policy), '\n')));
    struct bytes origin = websocket_origin(call->context->url);
    char policy[POLICY_SIZE];
    int len = snprintf(policy, sizeof policy,
                       "default-src 'none'; %.*s; connect-src 'self' %.*s; img-src data: blob:; "
                       "media-src blob:; base-uri 'none'; form-action 'none'; "
                       "frame-ancestors 'none'",
                       (int)hashes.len, (const char *)hashes.data, (int)origin.len,
                       (const char *)origin.data);

    CHECK(len > 0 && len < (int)sizeof policy);
    access_reply_field(reply, "Content-Security-Policy", policy);
}

void watch_get(struct access_call *call, struct access_reply *reply)
{
    char *copy = malloc(sizeof watch_page);

    if (copy == NULL) {
        access_reply_error(reply, 503, "out of memory");
        return;
    }
    memcpy(copy, watch_page, sizeof watch_page);
    reply->fields[0] = '\0'; /* pages of other origins have no use for it */
    add_policy(call, reply);
    access_reply_field(reply, "Referrer-Policy", "no-referrer");
    access_reply_field(reply, "X-Content-Type-Options", "nosniff");
    access_reply_field(reply, "Cache-Control", "no-cache");
    access_reply_long(reply, 200, "text/html; charset=utf-8", copy, sizeof watch_page);
}
