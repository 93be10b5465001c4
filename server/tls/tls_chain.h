/* Detects faults that clients refuse in a certificate that OpenSSL has accepted. Any thread; blocks
 * on the files of the system's store. */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/attributes.h"

enum tls_chain_sizes { TLS_CHAIN_NAME_SIZE = 256 };

/* No subjectAltName: browsers, Go and our client ignore all other names (RFC 9525 §2). */
bool tls_chain_lacks_names(const SSL_CTX *ctx);

/* The chain of ctx ends before a self-signed authority or one in this machine's store: a client
 * that does not have the issuer cannot verify it. issuer: its name. */
MUST_USE bool tls_chain_lacks_issuer(SSL_CTX *ctx, char issuer[static TLS_CHAIN_NAME_SIZE]);
