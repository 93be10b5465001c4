/* The path and query of a request target (RFC 9112 §3.2, RFC 3986). Pure, any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/bytes.h"

/* Splits origin-form ("/a/b?x=y") and absolute-form ("http://host/a") targets. ret_query is empty
 * without a '?'. -EINVAL for anything else ("*", authority form, no leading slash, an invalid
 * or empty host). A fragment is cut off. */
MUST_USE int request_target_split(struct bytes target, struct bytes *ret_path,
                                  struct bytes *ret_query);

/* The path of a URL, without trailing slashes and query; empty when there is none. */
struct bytes request_target_path_of_url(const char *url);

/* Whether the text is uri-host [ ":" port ], as a Host field must be (RFC 9112 §3.2, RFC 3986
 * §3.2.2); the host may be empty. User information is refused (RFC 9110 §4.2.4). */
MUST_USE bool request_target_authority_is_valid(struct bytes authority);

/* Resolves "//", "/./", "/../" and a trailing slash as Go's path.Clean does, into text
 * (terminated). Works on the path before unescaping. -ENOSPC when it does not fit. "/" stays
 * "/". */
MUST_USE int request_target_clean_path(struct bytes path, char *text, size_t text_size);

/* Undoes %XX (RFC 3986 §2.1). '+' stays. -EINVAL for a bad escape or a decoded NUL, -ENOSPC when it
 * does not fit. text is terminated. */
MUST_USE int request_target_decode(struct bytes in, char *text, size_t text_size);

/* Escapes the characters that RFC 3986 allows in no part of a URI, among them the backslash, which
 * browsers treat as a slash; existing escapes are kept. -ENOSPC when it does not fit. text is
 * terminated. */
MUST_USE int request_target_escape(struct bytes in, char *text, size_t text_size);

/* Query parameters, decoded as application/x-www-form-urlencoded ('+' is a space). Values are
 * separated by '&'. which: the first or the last of that name. -ENOENT when absent, else as
 * request_target_decode. A pair with a bad escape is skipped. */
enum query_which { QUERY_FIRST, QUERY_LAST };
MUST_USE int request_target_query_value(struct bytes query, const char *name,
                                        enum query_which which, char *text, size_t text_size);
