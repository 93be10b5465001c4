/* HTTP/1.x requests: the head by llhttp (strict), the body by http_chunked, into one bounded
 * struct. The parser copies what it needs, so the input need not outlive the call. One parser, one
 * thread; never allocates. The struct points into itself: do not copy it. */
#pragma once

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "wire/http_chunked.h"

enum http_request_limits {
    HTTP_TARGET_BYTES_MAX = 8000, /* longer: 414. RFC 9112 §3 recommends at least 8000 for a request
                                   * line. */
    HTTP_HEAD_BYTES_MAX = 16384,  /* request line and header fields as sent; longer: 431. A token
                                     is at most 8 KiB. */
    HTTP_FIELDS_MAX = 64,         /* more: 431 */
    HTTP_BODY_BYTES_MAX = 65536,  /* bodies are read and discarded; longer: 413 */
    HTTP_METHOD_SIZE = 32,        /* of http_request_leave_body; longer: 501 */
};

struct http_field {
    struct bytes name;  /* as sent */
    struct bytes value; /* without surrounding white space */
};

enum http_request_result {
    HTTP_REQUEST_OK,              /* a whole request, body included, was read */
    HTTP_REQUEST_MORE,            /* all input was consumed; the request continues */
    HTTP_REQUEST_MALFORMED,       /* → 400; also HTTP/1.1 without a valid Host, folded lines, bare
                                     CR or LF, and any doubt about where the body ends */
    HTTP_REQUEST_TARGET_TOO_LONG, /* → 414 */
    HTTP_REQUEST_HEAD_TOO_LARGE,  /* → 431 */
    HTTP_REQUEST_BODY_TOO_LARGE,  /* → 413; as soon as it is announced */
    HTTP_REQUEST_BAD_VERSION,     /* → 505; HTTP, but not 1.x */
    HTTP_REQUEST_NOT_IMPLEMENTED, /* → 501; unknown method, or a transfer coding before chunked */
};

struct http_request {
    /* Valid after HTTP_REQUEST_OK, until the next http_request_init. */
    const char *method; /* "GET"; never NULL */
    struct bytes target;
    struct http_field fields[HTTP_FIELDS_MAX];
    unsigned fields_count;
    uint8_t minor_version; /* 0 or 1; 1 stands for higher versions too (RFC 9110 §2.5). 1 until the
                              request line is known. */
    bool keep_alive;       /* by version and Connection */
    bool has_body;         /* a non-empty body was sent */
    bool is_upgrade;       /* Upgrade and Connection: upgrade were sent */
    bool is_chunked;       /* the body is in chunks; otherwise it has body_len bytes */
    uint64_t body_len;     /* by Content-Length */

    /* Valid after HTTP_REQUEST_MORE: the client may wait for 100 Continue before it sends its body
     * (RFC 9110 §10.1.1). A caller that sends it clears this. */
    bool expects_continue;

    /* Private to http_request.c. */
    llhttp_t parser;
    enum http_request_result failure; /* HTTP_REQUEST_OK: no error so far */
    size_t text_len;
    size_t line_start; /* in text, of the line being collected */
    size_t body_left;  /* of Content-Length, or else: */
    struct http_chunked chunked;
    bool leaves_body; /* and takes any method */
    char any_method[HTTP_METHOD_SIZE];
    bool is_query;      /* the method is QUERY */
    bool head_complete; /* true exactly from the empty line on */
    bool complete;      /* true exactly after HTTP_REQUEST_OK */
    char text[HTTP_HEAD_BYTES_MAX];
};

/* Prepares for one request; also called between two requests of a kept-alive connection. */
void http_request_init(struct http_request *request);

/* For a caller that reads bodies itself: call after an init. A request is then whole with its head,
 * whatever its method and the length of its body, and expects_continue is valid with it. */
void http_request_leave_body(struct http_request *request);

/* Overwrites the text, which may hold a token or a code. Only an init may follow. */
void http_request_wipe(struct http_request *request);

/* Parses from the front of *input and advances it past what belongs to this request: after
 * HTTP_REQUEST_OK the rest is the start of a WebSocket stream (is_upgrade) or of the next request.
 * Errors are final. Must not be called after HTTP_REQUEST_OK without an init. */
MUST_USE enum http_request_result http_request_parse(struct http_request *request,
                                                     struct bytes *input);

/* True when the method is HEAD, so that the response has no content (RFC 9110 §9.3.2); valid even
 * after an early error. */
bool http_request_is_head(const struct http_request *request);

/* First field of that name (any case). False when absent; then *ret_value is untouched. */
bool http_request_field(const struct http_request *request, const char *name,
                        struct bytes *ret_value);

/* As much of the first field of that name as fits, as text; "" when absent. */
void http_request_field_text(const struct http_request *request, const char *name, char *text,
                             size_t size);

/* Like http_request_field, for the last field of that name: the one the nearest proxy added. */
bool http_request_last_field(const struct http_request *request, const char *name,
                             struct bytes *ret_value);

/* True when any field of that name holds the token in its comma-separated list (any case). */
bool http_request_field_has_token(const struct http_request *request, const char *name,
                                  const char *token);
