/* Certificates of the running server: made at start, made anew on SIGHUP and when the files change.
 * Main thread only; blocks on files. */
#pragma once

#include <stdbool.h>

#include "base/attributes.h"
#include "server/config.h"
#include "server/conn/conn_table.h"
#include "server/tls/tls_slot.h"

struct tls_reload {
    struct tls_slot slot;
    struct tls_settings settings;
    uint64_t stamp; /* of the files as they were read last */
    bool enabled;
};

/* Reads the certificates and finds out what the kernel can do; fills shared. Without RELAY_TLS_CERT
 * it does nothing. 0, or -errno with one line in error. */
MUST_USE int tls_reload_init(struct tls_reload *reload, const struct server_config *config,
                             struct conn_shared *shared, char error[static TLS_ERROR_SIZE]);
void tls_reload_deinit(struct tls_reload *reload);

/* Reads the files again, always or when they changed; a bad pair is logged and the old one stays.
 */
void tls_reload_now(struct tls_reload *reload);
void tls_reload_if_changed(struct tls_reload *reload);
