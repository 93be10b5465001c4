#include "server/tls_reload.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/tls/tls_session.h"

enum { EXPIRY_WARNING_S = 14 * 24 * 3600 };

static void warn_of_expiry(const struct tls_context *context)
{
    int64_t left_s = tls_context_expires_s(context) - clock_wall_s();

    if (left_s < EXPIRY_WARNING_S) {
        log_warn("a certificate expires soon", LOG_INT("days_left", left_s / (24 * 3600)));
    }
}

static void warn_of_flaw(const char *flaw, const char *cert_file, const char *issuer,
                         const char *cure)
{
    log_warn(flaw, LOG_TEXT("file", cert_file), LOG_TEXT("issuer", issuer), LOG_TEXT("cure", cure));
}

static void warn_of_flaws(const struct tls_context *context)
{
    warn_of_expiry(context);
    tls_context_find_flaws(context, warn_of_flaw);
}

static int init_kernel(const struct server_config *config, struct conn_shared *shared, char *error)
{
    shared->ktls_required = config->ktls == CONFIG_KTLS_REQUIRE;
    if (config->ktls == CONFIG_KTLS_OFF) {
        snprintf(shared->ktls.text, sizeof shared->ktls.text, "off (RELAY_KTLS=off)");
    } else {
        ktls_probe(&shared->ktls);
    }
    if (shared->ktls_required && !shared->ktls.any) {
        snprintf(error, TLS_ERROR_SIZE, "RELAY_KTLS=require, but kernel TLS: %s",
                 shared->ktls.text);
        return -ENOTSUP;
    }
    return 0;
}

void tls_reload_deinit(struct tls_reload *reload)
{
    if (reload->enabled) {
        tls_slot_deinit(&reload->slot);
        reload->enabled = false;
    }
}

int tls_reload_init(struct tls_reload *reload, const struct server_config *config,
                    struct conn_shared *shared, char error[static TLS_ERROR_SIZE])
{
    *reload = (struct tls_reload){
        .settings = {.cert_files = config->tls_cert,
                     .key_files = config->tls_key,
                     .tls13_only = config->tls_min == CONFIG_TLS_1_3,
                     .tickets = (unsigned)config->tls_tickets},
        .enabled = config->tls_cert[0] != '\0',
    };
    if (!reload->enabled) {
        return 0;
    }
    if (!tls_session_prepare()) {
        snprintf(error, TLS_ERROR_SIZE, "out of memory");
        return -ENOMEM;
    }
    reload->stamp = tls_context_stamp(&reload->settings);
    struct tls_context *context = tls_context_create(&reload->settings, error);

    if (context == NULL) {
        reload->enabled = false;
        return -EINVAL;
    }
    tls_slot_init(&reload->slot, context);
    shared->tls = &reload->slot;
    warn_of_flaws(context);
    int failed = init_kernel(config, shared, error);

    if (failed != 0) {
        tls_reload_deinit(reload);
    }
    return failed;
}

void tls_reload_now(struct tls_reload *reload)
{
    char error[TLS_ERROR_SIZE];

    if (!reload->enabled) {
        return;
    }
    /* The stamp first: a change during the reading is seen the next time. */
    reload->stamp = tls_context_stamp(&reload->settings);
    struct tls_context *context = tls_context_create(&reload->settings, error);

    if (context == NULL) {
        log_error("certificates not reloaded, the old ones stay in use", LOG_TEXT("error", error));
        return;
    }
    warn_of_flaws(context);
    tls_slot_replace(&reload->slot, context);
    log_warn("certificates reloaded", LOG_TEXT("files", reload->settings.cert_files));
}

void tls_reload_if_changed(struct tls_reload *reload)
{
    if (reload->enabled && tls_context_stamp(&reload->settings) != reload->stamp) {
        tls_reload_now(reload);
    }
}
