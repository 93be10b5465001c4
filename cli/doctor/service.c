#include "cli/doctor/service.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "cli/doctor/round_trip.h"
#include "server/listen.h"
#include "server/tls/tls_context.h"
#include "token/key_sources.h"

enum { HOST_SIZE = 256, DAY_S = 24 * 3600, RENEW_DAYS = 14 };

static struct token_keys *load_keys(struct findings *findings, const struct server_config *config)
{
    const struct key_sources sources = {.secret = config->secret,
                                        .secret_file = config->secret_file,
                                        .secrets_file = config->secrets_file,
                                        .public_keys = config->public_keys,
                                        .hmac_algorithms = config->hmac_algorithms};
    char error[TOKEN_KEYS_ERROR_SIZE];
    struct token_keys *keys = key_sources_load(&sources, error);

    if (keys == NULL) {
        findings_add(findings, "keys", FINDING_FAULT,
                     "correct RELAY_SECRET_FILE, RELAY_SECRETS_FILE or RELAY_PUBLIC_KEYS", "%s",
                     error);
    } else {
        findings_add(findings, "keys", FINDING_OK, NULL, "%u", token_keys_count(keys));
    }
    return keys;
}

/* tls_context_on_flaw has no context. */
static struct findings *flaws;

static void on_flaw(const char *flaw, const char *cert_file, const char *issuer, const char *cure)
{
    findings_add(flaws, "chain", FINDING_FAULT, cure, "%s: %s%s%s", cert_file, flaw,
                 issuer[0] == '\0' ? "" : ", issuer ", issuer);
}

static void check_expiry(struct findings *findings, const struct tls_context *context)
{
    int64_t days = (tls_context_expires_s(context) - clock_wall_s()) / DAY_S;

    findings_add(findings, "certificate", days < RENEW_DAYS ? FINDING_WARNING : FINDING_OK,
                 days < RENEW_DAYS ? "renew it (certbot renew); relay reloads it by itself" : NULL,
                 "expires in %lld days", (long long)days);
}

static void check_certificate(struct findings *findings, const struct server_config *config)
{
    const struct tls_settings settings = {.cert_files = config->tls_cert,
                                          .key_files = config->tls_key};
    char error[TLS_ERROR_SIZE];

    if (text_is_empty(config->tls_cert)) {
        findings_add(findings, "certificate", FINDING_OK, NULL,
                     "none: plain TCP, for a proxy in front");
        return;
    }
    struct tls_context *context = tls_context_create(&settings, error);

    if (context == NULL) {
        findings_add(findings, "certificate", FINDING_FAULT,
                     "correct RELAY_TLS_CERT and RELAY_TLS_KEY, or renew the certificate", "%s",
                     error);
        return;
    }
    check_expiry(findings, context);
    flaws = findings;
    tls_context_find_flaws(context, on_flaw);
    tls_context_unref(context);
}

static void check_port(struct findings *findings, const struct server_config *config,
                       const char *name, int64_t number)
{
    uint16_t port = (uint16_t)number;
    char error[512];
    int fd;
    int failed = listen_open(config->bind_address, &port, &fd, 1, error, sizeof error);

    if (failed == 0) {
        close(fd);
        findings_add(findings, name, FINDING_OK, NULL, "port %u is free", port);
    } else if (failed == -EADDRINUSE) {
        findings_add(findings, name, FINDING_WARNING,
                     "none if that is relay; else stop it (ss -ltnp), or choose another port",
                     "port %lld is taken", (long long)number);
    } else {
        findings_add(findings, name, FINDING_FAULT,
                     failed == -EACCES ? "use the socket unit, or CAP_NET_BIND_SERVICE"
                                       : "correct RELAY_BIND_ADDRESS",
                     "%s", error);
    }
}

/* The host of a URL that was checked before. */
static void host_of(const char *url, char host[static HOST_SIZE])
{
    const char *begin = strstr(url, "://");
    size_t len;

    begin = begin == NULL ? url : begin + 3;
    if (*begin == '[') {
        begin++;
        len = strcspn(begin, "]");
    } else {
        len = strcspn(begin, ":/?");
    }
    snprintf(host, HOST_SIZE, "%.*s", (int)(len < HOST_SIZE ? len : HOST_SIZE - 1), begin);
}

static void check_name(struct findings *findings, const char *option, const char *url)
{
    struct addrinfo *found;
    char host[HOST_SIZE];

    host_of(url, host);
    int failed = getaddrinfo(host, NULL, NULL, &found);

    if (failed == 0) {
        freeaddrinfo(found);
        findings_add(findings, "dns", FINDING_OK, NULL, "%s of %s has an address", host, option);
    } else {
        findings_add(findings, "dns", FINDING_FAULT,
                     "make an A or AAAA record for it, or correct the option", "%s of %s: %s", host,
                     option, gai_strerror(failed));
    }
}

void service_check(struct findings *findings, const struct server_config *config,
                   const char *ca_file)
{
    struct token_keys *keys = load_keys(findings, config);

    check_certificate(findings, config);
    check_port(findings, config, "port_access", config->port_access);
    if (config->port_relay != config->port_access) {
        check_port(findings, config, "port_relay", config->port_relay);
    }
    check_name(findings, "RELAY_AUDIENCE", config->audience);
    check_name(findings, "RELAY_URL", config->url);
    if (keys != NULL) {
        round_trip_check(findings, config->audience, keys, ca_file);
    }
    token_keys_unref(keys);
}
