/* GET /docs and GET /swagger.json: what this API is, for people and for programs. Texts of the
 * program itself, which need no token and load nothing from elsewhere. */
#include <stdlib.h>
#include <string.h>

#include "embedded/docs_page.h"
#include "embedded/docs_swagger.h"
#include "server/access/routes.h"

static void reply_text(struct access_reply *reply, const char *content_type, const char *text,
                       size_t len)
{
    char *copy = malloc(len);

    if (copy == NULL) {
        access_reply_error(reply, 503, "out of memory");
        return;
    }
    memcpy(copy, text, len);
    access_reply_long(reply, 200, content_type, copy, len);
}

void docs_get(struct access_call *call, struct access_reply *reply)
{
    /* The page has no script and no picture; a browser may hold it to that. */
    access_reply_field(reply, "Content-Security-Policy",
                       "default-src 'none'; style-src 'unsafe-inline'");
    reply_text(reply, "text/html; charset=utf-8", docs_page, sizeof docs_page);
}

void swagger_get(struct access_call *call, struct access_reply *reply)
{
    reply_text(reply, "application/json", docs_swagger, sizeof docs_swagger);
}
