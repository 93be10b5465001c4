/* Cross-origin requests (Fetch standard, CORS protocol): off unless the operator lists origins,
 * because a proxy in front may add the fields itself. Pure; any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "wire/http_request.h"

/* Longer ones are no origin: a host name has at most 253 bytes. */
enum { CORS_ORIGIN_BYTES_MAX = 255, CORS_FIELDS_SIZE_MIN = 512 };

/* Header lines for the answer to this request, or "": the page's origin may read it, errors too.
 * origins: separated by commas or spaces, or "*"; NULL or empty: none. size: at least
 * CORS_FIELDS_SIZE_MIN, which holds what cors_is_preflight appends too. */
void cors_fields(const char *origins, const struct http_request *request, char *fields,
                 size_t size);

/* True for the question that browsers ask before the real request; its fields are appended. */
bool cors_is_preflight(const char *origins, const struct http_request *request, char *fields,
                       size_t size);
