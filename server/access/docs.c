/* GET /docs, /openapi.json and /swagger.json: what this API is, for people and for programs. Texts
 * of the program itself, which need no token and load nothing from elsewhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "embedded/docs_openapi.h"
#include "embedded/docs_page.h"
#include "embedded/docs_swagger.h"
#include "server/access/routes.h"
#include "wire/request_target.h"

enum { BASE_PATH_SIZE = 6 * HTTP_TARGET_BYTES_MAX }; /* no request reaches a longer path */

void docs_get(struct access_call *call, struct access_reply *reply)
{
    /* The page has no script and no picture; a browser may hold it to that. */
    access_reply_field(reply, "Content-Security-Policy",
                       "default-src 'none'; style-src 'unsafe-inline'");
    access_reply_copy(reply, "text/html; charset=utf-8", docs_page, sizeof docs_page);
}

/* A text with the path of the public URL in place of "/" behind the name: behind a proxy the API
 * lies under that path, and is served there too. */
static void reply_description(struct access_call *call, struct access_reply *reply,
                              struct bytes text, const char *name)
{
    const uint8_t *place = memmem(text.data, text.len, name, strlen(name));
    struct bytes path = request_target_path_of_url(call->context->audience);
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
    size_t before = (size_t)(place - text.data) + strlen(name);
    struct bytes rest = bytes_skip(text, before + strlen("\"/\""));

    fwrite(text.data, 1, before, stream);
    fputs(quoted, stream);
    fwrite(rest.data, 1, rest.len, stream);
    fclose(stream);
    access_reply_long(reply, 200, "application/json", body, body_len);
}

void swagger_get(struct access_call *call, struct access_reply *reply)
{
    reply_description(call, reply, bytes_of(docs_swagger, sizeof docs_swagger), "\"basePath\": ");
}

void docs_openapi_get(struct access_call *call, struct access_reply *reply)
{
    reply_description(call, reply, bytes_of(docs_openapi, sizeof docs_openapi), "\"url\": ");
}
