/* Certificates and TLS settings: versions, ciphers and certificate of a handshake. A set is
 * immutable and reference-counted: a reload makes a new one, handshakes in progress keep theirs.
 * Any thread.
 */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

enum tls_context_limits { TLS_PAIRS_MAX = 16, TLS_ERROR_SIZE = 512 };

/* The operator's settings. Lists of files are separated by commas and matched by position; a name
 * without a slash is looked up in $CREDENTIALS_DIRECTORY (systemd) first. */
struct tls_settings {
    const char *cert_files;
    const char *key_files;
    bool tls13_only;
    unsigned tickets; /* session tickets for each TLS 1.3 handshake */
};

struct tls_context;

/* Reads and checks the files. NULL with one line in error: the file and the reason, never its
 * content. */
MUST_USE struct tls_context *tls_context_create(const struct tls_settings *settings,
                                                char error[static TLS_ERROR_SIZE]);
struct tls_context *tls_context_ref(struct tls_context *context);
/* Accepts NULL. */
void tls_context_unref(struct tls_context *context);

/* A new server-side SSL of the set; the caller frees it. NULL when out of memory. */
MUST_USE SSL *tls_context_new_ssl(struct tls_context *context);

/* A number that changes when one of the files does; 0 when none is readable. Blocks on the
 * files. */
uint64_t tls_context_stamp(const struct tls_settings *settings);

/* Reports each certificate that clients may refuse. flaw and cure are constants, issuer may be
 * empty. Blocks on the files of the system's store. */
typedef void tls_context_on_flaw(const char *flaw, const char *cert_file, const char *issuer,
                                 const char *cure);
void tls_context_find_flaws(const struct tls_context *context, tls_context_on_flaw *on_flaw);

/* The earliest expiry of a certificate of the set, seconds since 1970 UTC. */
int64_t tls_context_expires_s(const struct tls_context *context);
