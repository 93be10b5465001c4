/* OpenSSL's queue of errors in words for people. Any thread: the queue is the calling thread's. */
#pragma once

/* Empties the queue and returns the latest reason in it that says something: not "system lib" or
 * "PEM lib", which only name the part of OpenSSL that passed an error on. "unknown cause" when
 * there is none. A constant. */
const char *openssl_error_take(void);
