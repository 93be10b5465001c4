/* Multipart bodies (RFC 2046 §5.1), in which cameras send MJPEG over HTTP: recognised, not parsed.
 * Pure, any thread. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

/* True when a stream that begins with these bytes is a multipart body: a delimiter line, then a
 * header field whose name begins with "Content-". */
bool multipart_probe(struct bytes bytes);
