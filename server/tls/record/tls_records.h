/* Both directions of a TLS 1.3 connection of a server after its handshake: all that remains of it.
 * Owner worker only; never blocks. */
#pragma once

#include <stdbool.h>

#include "server/tls/record/tls_opener.h"
#include "server/tls/record/tls_sealer.h"

struct tls_records {
    struct tls_sealer sealer;
    struct tls_opener opener;
    bool answer_wanted;            /* the peer asked for our KeyUpdate too */
    uint64_t sealed_ms, opened_ms; /* when the last record was, by the clock of its worker */
};

/* sealed: records that were already sent under the server's key (session tickets). NULL when out of
 * memory. */
MUST_USE struct tls_records *tls_records_create(enum tls_suite suite,
                                                const struct tls_secrets *secrets, uint64_t sealed);
/* The same for a connection that another program has served, which may be one of many: keys are
 * derived for its first record, not now. NULL when out of memory. */
MUST_USE struct tls_records *tls_records_create_resting(enum tls_suite suite,
                                                        const struct tls_secrets *secrets);
/* Wipes the secrets. Accepts NULL. */
void tls_records_destroy(struct tls_records *records);
