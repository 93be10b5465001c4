/* Application traffic secrets of TLS 1.3 and the keys that are derived from them (RFC 8446 §7). Any
 * thread; never blocks. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "server/tls/record/tls_suite.h"

enum tls_secret_sizes { TLS_SECRET_BYTES_MAX = 48, TLS_KEY_BYTES_MAX = 32, TLS_IV_BYTES = 12 };

/* The two of a connection, as the handshake agreed on them. */
struct tls_secrets {
    uint8_t client[TLS_SECRET_BYTES_MAX];
    uint8_t server[TLS_SECRET_BYTES_MAX];
    size_t client_len, server_len;
};

struct tls_keys {
    uint8_t key[TLS_KEY_BYTES_MAX];
    uint8_t iv[TLS_IV_BYTES];
};

/* The keys of a direction with that secret. Wipe them after use. 0 or -ENOMEM. */
MUST_USE int tls_secret_keys(enum tls_suite suite, const uint8_t *secret,
                             struct tls_keys *ret_keys);

/* KeyUpdate: the secret that follows (§7.2). next may not be secret. 0 or -ENOMEM. */
MUST_USE int tls_secret_next(enum tls_suite suite, const uint8_t *secret, uint8_t *next);
