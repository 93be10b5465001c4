#include "server/tls/tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/openssl/openssl_error.h"
#include "base/openssl/pem_file.h"
#include "base/systemd/credential.h"
#include "server/tls/tls_chain.h"
#include "server/tls/tls_session.h"

enum { PATH_SIZE = 4096 };

struct tls_context {
    _Atomic unsigned references;
    SSL_CTX *pairs[TLS_PAIRS_MAX]; /* the first one is also used for unknown names */
    char *cert_files[TLS_PAIRS_MAX];
    unsigned pairs_count;
};

static const char ciphers_13[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char ciphers_12[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

/* Item index of a comma-separated list as a path. False when there is none. */
static bool list_item(const char *list, unsigned index, char path[static PATH_SIZE])
{
    for (; index > 0; index--) {
        list = strchr(list, ',');
        if (list == NULL) {
            return false;
        }
        list++;
    }
    size_t len = strcspn(list, ",");

    if (len == 0) {
        return false;
    }
    credential_path(list, len, path, PATH_SIZE);
    return true;
}

static bool fail(char *error, const char *what, const char *path, enum pem_file_content wanted)
{
    char cause[PEM_FILE_FAULT_SIZE];

    pem_file_explain(path, wanted, cause);
    snprintf(error, TLS_ERROR_SIZE, "%s %.300s: %s", what, path, cause);
    return false;
}

static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_len,
                           const unsigned char *offered, unsigned offered_len, void *argument)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *found;

    if (SSL_select_next_proto(&found, chosen_len, ours, sizeof ours - 1, offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

static int choose_certificate(SSL *ssl, int *alert, void *argument)
{
    const struct tls_context *context = argument;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    for (unsigned i = 0; name != NULL && i < context->pairs_count; i++) {
        X509 *certificate = SSL_CTX_get0_certificate(context->pairs[i]);

        if (X509_check_host(certificate, name, 0, 0, NULL) == 1) {
            SSL_set_SSL_CTX(ssl, context->pairs[i]);
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_OK;
}

static void set_rules(SSL_CTX *ctx, const struct tls_settings *settings,
                      struct tls_context *context)
{
    SSL_CTX_set_min_proto_version(ctx, settings->tls13_only ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"relay", 5);
    SSL_CTX_set_num_tickets(ctx, settings->tickets);
    if (settings->tickets == 0) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    }
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    SSL_CTX_set_tlsext_servername_callback(ctx, choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(ctx, context);
    SSL_CTX_set_keylog_callback(ctx, tls_session_on_keylog);
}

/* OpenSSL would prompt on the terminal for the password of an encrypted key. */
static int no_password(char *password, int size, int for_writing, void *argument)
{
    return 0;
}

static bool is_valid_now(const X509 *certificate, const char *path, char *error)
{
    const ASN1_TIME *start = X509_get0_notBefore(certificate);
    struct tm utc = {0};
    char text[32];

    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
        snprintf(error, TLS_ERROR_SIZE, "the certificate %.300s has expired", path);
        return false;
    }
    if (X509_cmp_current_time(start) > 0) {
        ASN1_TIME_to_tm(start, &utc);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
        snprintf(error, TLS_ERROR_SIZE, "the certificate %.300s is not valid yet, from %s", path,
                 text);
        return false;
    }
    return true;
}

static bool fail_mismatch(char *error, const char *cert, const char *key)
{
    ERR_clear_error();
    snprintf(error, TLS_ERROR_SIZE, "the key %.200s does not belong to the certificate %.200s", key,
             cert);
    return false;
}

static bool is_mismatch(unsigned long openssl_error)
{
    return ERR_GET_LIB(openssl_error) == ERR_LIB_X509 &&
           (ERR_GET_REASON(openssl_error) == X509_R_KEY_VALUES_MISMATCH ||
            ERR_GET_REASON(openssl_error) == X509_R_KEY_TYPE_MISMATCH);
}

static bool load_pair(SSL_CTX *ctx, const char *cert, const char *key, char *error)
{
    ERR_clear_error();
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1) {
        return fail(error, "cannot use the certificate", cert, PEM_FILE_CERTIFICATE);
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
        return is_mismatch(ERR_peek_last_error())
                   ? fail_mismatch(error, cert, key)
                   : fail(error, "cannot use the key", key, PEM_FILE_PRIVATE_KEY);
    }
    if (SSL_CTX_check_private_key(ctx) != 1) {
        return fail_mismatch(error, cert, key);
    }
    return is_valid_now(SSL_CTX_get0_certificate(ctx), cert, error);
}

static bool add_pair(struct tls_context *context, const struct tls_settings *settings,
                     unsigned index, char *error)
{
    char cert[PATH_SIZE], key[PATH_SIZE];
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (ctx == NULL) {
        snprintf(error, TLS_ERROR_SIZE, "out of memory");
        return false;
    }
    context->pairs[index] = ctx;
    context->pairs_count = index + 1;
    set_rules(ctx, settings, context);
    if (SSL_CTX_set_ciphersuites(ctx, ciphers_13) != 1 ||
        SSL_CTX_set_cipher_list(ctx, ciphers_12) != 1 ||
        SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") != 1) {
        snprintf(error, TLS_ERROR_SIZE, "OpenSSL lacks the ciphers: %s", openssl_error_take());
        return false;
    }
    if (!list_item(settings->cert_files, index, cert) ||
        !list_item(settings->key_files, index, key)) {
        snprintf(error, TLS_ERROR_SIZE,
                 "RELAY_TLS_CERT and RELAY_TLS_KEY must name the same number of files");
        return false;
    }
    context->cert_files[index] = strdup(cert);
    if (context->cert_files[index] == NULL) {
        snprintf(error, TLS_ERROR_SIZE, "out of memory");
        return false;
    }
    return load_pair(ctx, cert, key, error);
}

static unsigned list_len(const char *list)
{
    unsigned count = 1;

    for (; *list != '\0'; list++) {
        count += *list == ',';
    }
    return count;
}

struct tls_context *tls_context_create(const struct tls_settings *settings,
                                       char error[static TLS_ERROR_SIZE])
{
    unsigned pairs = list_len(settings->cert_files);
    struct tls_context *context = calloc(1, sizeof *context);

    if (context == NULL) {
        snprintf(error, TLS_ERROR_SIZE, "out of memory");
        return NULL;
    }
    atomic_store(&context->references, 1);
    if (pairs != list_len(settings->key_files) || pairs > TLS_PAIRS_MAX) {
        snprintf(error, TLS_ERROR_SIZE,
                 "RELAY_TLS_CERT and RELAY_TLS_KEY must name the same number of files, at most %d",
                 TLS_PAIRS_MAX);
        tls_context_unref(context);
        return NULL;
    }
    for (unsigned i = 0; i < pairs; i++) {
        if (!add_pair(context, settings, i, error)) {
            tls_context_unref(context);
            return NULL;
        }
    }
    return context;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    atomic_fetch_add(&context->references, 1);
    return context;
}

void tls_context_unref(struct tls_context *context)
{
    if (context == NULL || atomic_fetch_sub(&context->references, 1) > 1) {
        return;
    }
    for (unsigned i = 0; i < context->pairs_count; i++) {
        SSL_CTX_free(context->pairs[i]);
        free(context->cert_files[i]);
    }
    free(context);
}

SSL *tls_context_new_ssl(struct tls_context *context)
{
    CHECK(context->pairs_count > 0);
    return SSL_new(context->pairs[0]);
}

static uint64_t mix(uint64_t stamp, uint64_t value)
{
    return (stamp ^ value) * UINT64_C(0x100000001b3);
}

uint64_t tls_context_stamp(const struct tls_settings *settings)
{
    const char *const lists[] = {settings->cert_files, settings->key_files};
    uint64_t stamp = 0;

    for (unsigned i = 0; i < ARRAY_LENGTH(lists); i++) {
        char path[PATH_SIZE];
        struct stat info;

        for (unsigned index = 0; list_item(lists[i], index, path); index++) {
            if (stat(path, &info) == 0) {
                stamp = mix(stamp, (uint64_t)info.st_mtim.tv_sec);
                stamp = mix(stamp, (uint64_t)info.st_mtim.tv_nsec);
                stamp = mix(stamp, (uint64_t)info.st_ino);
                stamp = mix(stamp, (uint64_t)info.st_size);
            }
        }
    }
    return stamp;
}

int64_t tls_context_expires_s(const struct tls_context *context)
{
    int64_t earliest_s = INT64_MAX;

    for (unsigned i = 0; i < context->pairs_count; i++) {
        struct tm end;
        X509 *certificate = SSL_CTX_get0_certificate(context->pairs[i]);

        if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1) {
            int64_t end_s = timegm(&end);

            earliest_s = end_s < earliest_s ? end_s : earliest_s;
        }
    }
    return earliest_s;
}

void tls_context_find_flaws(const struct tls_context *context, tls_context_on_flaw *on_flaw)
{
    char issuer[TLS_CHAIN_NAME_SIZE];

    for (unsigned i = 0; i < context->pairs_count; i++) {
        const char *file = context->cert_files[i];

        if (tls_chain_lacks_names(context->pairs[i])) {
            on_flaw("a certificate has no subjectAltName", file, "",
                    "browsers and relay's own clients refuse it: make it anew with one");
        }
        if (tls_chain_lacks_issuer(context->pairs[i], issuer)) {
            on_flaw("a certificate's issuer is not in its file", file, issuer,
                    "clients refuse it unless they know that issuer: append the intermediate "
                    "certificates (certbot: fullchain.pem)");
        }
    }
}
