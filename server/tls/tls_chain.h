/* Detects faults that clients refuse in a certificate that OpenSSL has accepted. Any thread; blocks
 * on the files of the system's store. */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/attributes.h"

enum tls_chain_sizes { TLS_CHAIN_NAME_SIZE = 256 };

/* No subjectAltName: browsers, Go and our client ignore all other names (RFC 9525 §2). */
bool tls_chain_lacks_names(const SSL_CTX *ctx);

/* The certificate of ctx comes without its issuer, which is not in this machine's store either: a
 * client that does not have it cannot verify the certificate. A longer chain that ends at an
 * unknown authority is not reported: it is what a private authority's clients expect. issuer: its
 * name. */
MUST_USE bool tls_chain_lacks_issuer(SSL_CTX *ctx, char issuer[static TLS_CHAIN_NAME_SIZE]);
