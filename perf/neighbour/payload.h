/* The bytes that attackers send: built once, before the attack, and then sent over and over. Any
 * thread; the memory belongs to the caller. */
#pragma once

#include <openssl/types.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

struct payload {
    uint8_t *data; /* malloc'ed */
    size_t len;
};

enum payload_sizes { PAYLOAD_ANNOUNCEMENT_BYTES = 14 };

/* All but the last: -ENOMEM on failure, with *ret_payload untouched. */

/* The text, count times in a row. */
MUST_USE int payload_of_text(const char *text, unsigned count, struct payload *ret_payload);

/* Denials of count bookings, each a request of its own that carries the token. */
MUST_USE int payload_of_denials(const char *token, int64_t exp_s, unsigned count,
                                struct payload *ret_payload);

/* Final frames of one opcode and payload size (RFC 6455 §5.2), count times in a row. Their mask is
 * zero, so that the payload is what it looks like. */
MUST_USE int payload_of_frames(unsigned opcode, size_t bytes, unsigned count,
                               struct payload *ret_payload);

/* The first bytes of two binary messages, so many of each: of a long one, over 64 KiB, and of a
 * short one of at least 126 bytes. */
MUST_USE int payload_of_announcements(size_t long_bytes, size_t short_bytes,
                                      struct payload *ret_payload);

/* The first flight of a TLS client, as it goes over the wire. -EIO when OpenSSL makes none. */
MUST_USE int payload_of_hello(SSL_CTX *tls, struct payload *ret_payload);

/* Accepts a zeroed payload. */
void payload_release(struct payload *payload);
