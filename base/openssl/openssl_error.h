/* Readable texts from OpenSSL's error queue. Any thread: the queue is the calling thread's. */
#pragma once

/* Empties the queue and returns its latest informative reason: not "system lib" or "PEM lib", which
 * only name the part of OpenSSL that propagated an error. "unknown cause" when there is none. A
 * constant. */
const char *openssl_error_take(void);
