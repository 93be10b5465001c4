/* What clients will not like about a certificate that OpenSSL has taken. Any thread; blocks on the
 * files of the system's store. */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/attributes.h"

enum tls_chain_sizes { TLS_CHAIN_NAME_SIZE = 256 };

/* No subjectAltName: browsers, Go and our client look at no other name (RFC 9525 §2). */
bool tls_chain_lacks_names(const SSL_CTX *ctx);

/* The certificates of ctx end before an authority that signs itself or that this machine's store
 * holds: a client that does not know the issuer by itself cannot verify them. issuer: its name. */
MUST_USE bool tls_chain_lacks_issuer(SSL_CTX *ctx, char issuer[static TLS_CHAIN_NAME_SIZE]);
