#include "server/tls/record/tls_records.h"

#include <stdlib.h>

#include "base/check.h"

static struct tls_records *make(enum tls_suite suite, const struct tls_secrets *secrets)
{
    CHECK(secrets->client_len == tls_suite_secret_bytes(suite));
    CHECK(secrets->server_len == tls_suite_secret_bytes(suite));
    return calloc(1, sizeof(struct tls_records));
}

struct tls_records *tls_records_create_resting(enum tls_suite suite,
                                               const struct tls_secrets *secrets)
{
    struct tls_records *records = make(suite, secrets);

    if (records != NULL) {
        tls_cipher_init_resting(&records->sealer.cipher, true, suite, secrets->server, 0);
        tls_cipher_init_resting(&records->opener.cipher, false, suite, secrets->client, 0);
    }
    return records;
}

struct tls_records *tls_records_create(enum tls_suite suite, const struct tls_secrets *secrets,
                                       uint64_t sealed)
{
    struct tls_records *records = make(suite, secrets);

    if (records == NULL) {
        return NULL;
    }
    if (!tls_cipher_init(&records->sealer.cipher, true, suite, secrets->server, sealed) ||
        !tls_cipher_init(&records->opener.cipher, false, suite, secrets->client, 0)) {
        tls_records_destroy(records);
        return NULL;
    }
    return records;
}

void tls_records_destroy(struct tls_records *records)
{
    if (records == NULL) {
        return;
    }
    tls_cipher_deinit(&records->sealer.cipher);
    tls_cipher_deinit(&records->opener.cipher);
    free(records);
}
