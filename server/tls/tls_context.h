/* Certificates and the rules of TLS: which versions, ciphers and certificate a handshake uses. A
 * set is immutable and counted: a reload makes a new one, live handshakes keep theirs. Any thread.
 */
#pragma once

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

enum tls_context_limits { TLS_PAIRS_MAX = 16, TLS_ERROR_SIZE = 512 };

/* What the operator chose. Lists of files are separated by commas, first to first; a name without a
 * slash is looked for in $CREDENTIALS_DIRECTORY (systemd) first. */
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

/* A new server-side SSL of the set; the caller frees it. NULL when memory is out. */
MUST_USE SSL *tls_context_new_ssl(struct tls_context *context);

/* A number that changes when one of the files does; 0 when none can be read. Blocks on the files.
 */
uint64_t tls_settings_stamp(const struct tls_settings *settings);

/* The present set of a running server: workers take it, a reload replaces it. Any thread. */
struct tls_slot {
    pthread_mutex_t mutex;
    struct tls_context *context;
};
void tls_slot_init(struct tls_slot *slot, struct tls_context *context); /* takes the reference */
void tls_slot_deinit(struct tls_slot *slot);
/* With a reference for the caller. */
struct tls_context *tls_slot_get(struct tls_slot *slot);
/* Takes the reference; the old set lives on in its handshakes. */
void tls_slot_replace(struct tls_slot *slot, struct tls_context *context);

/* Tells each certificate that clients may refuse. flaw and cure are constants, issuer may be empty.
 * Blocks on the files of the system's store. */
typedef void tls_context_on_flaw(const char *flaw, const char *cert_file, const char *issuer,
                                 const char *cure);
void tls_context_find_flaws(const struct tls_context *context, tls_context_on_flaw *on_flaw);

/* The earliest end of a certificate of the set, seconds since 1970 UTC. */
int64_t tls_context_expires_s(const struct tls_context *context);
