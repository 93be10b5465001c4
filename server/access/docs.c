/* GET /docs and GET /swagger.json: what this API is, for people and for programs. Texts of the
 * program itself, which need no token and load nothing from elsewhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "embedded/docs_page.h"
#include "embedded/docs_swagger.h"
#include "server/access/routes.h"
#include "wire/request_target.h"

enum { BASE_PATH_SIZE = 6 * HTTP_TARGET_BYTES_MAX }; /* no request reaches a longer path */

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

/* Behind a proxy the API lies under the path of its public URL, and is served there too. */
void swagger_get(struct access_call *call, struct access_reply *reply)
{
    static const char root[] = "\"basePath\": \"/\"";
    const char *place = memmem(docs_swagger, sizeof docs_swagger, root, sizeof root - 1);
    struct bytes path = url_path(call->context->audience);
    char quoted[BASE_PATH_SIZE];
    char *body = NULL;
    size_t body_len = 0;
    struct json_writer json;

    CHECK(place != NULL);
    json_writer_init(&json, quoted, sizeof quoted);
    json_writer_bytes(&json, path.len > 0 ? path : bytes_of_text("/"));
    FILE *stream = json.overflow ? NULL : open_memstream(&body, &body_len);

    if (stream == NULL) {
        access_reply_error(reply, 503, "out of memory");
        return;
    }
    const char *rest = place + sizeof root - 1;

    fwrite(docs_swagger, 1, (size_t)(place - docs_swagger), stream);
    fprintf(stream, "\"basePath\": %s", quoted);
    fwrite(rest, 1, (size_t)(docs_swagger + sizeof docs_swagger - rest), stream);
    fclose(stream);
    access_reply_long(reply, 200, "application/json", body, body_len);
}
