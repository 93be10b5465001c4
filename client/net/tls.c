#include "client/net/tls.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/openssl/openssl_error.h"
#include "base/openssl/pem_file.h"

/* OpenSSL's own socket BIO writes with write(2), which raises SIGPIPE in a process that did not ask
 * for it. This one sends with MSG_NOSIGNAL; its data is the session. */
static int bio_write(BIO *bio, const char *data, int len)
{
    struct tls_session *session = BIO_get_data(bio);
    ssize_t sent = send(session->fd, data, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);

    BIO_clear_retry_flags(bio);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_write(bio);
    }
    session->bytes_sent += sent > 0 ? (uint64_t)sent : 0;
    return (int)sent;
}

static int bio_read(BIO *bio, char *data, int len)
{
    struct tls_session *session = BIO_get_data(bio);
    ssize_t got = recv(session->fd, data, (size_t)len, MSG_DONTWAIT);

    BIO_clear_retry_flags(bio);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_read(bio);
    }
    session->at_end = got == 0;
    return (int)got;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    const struct tls_session *session = BIO_get_data(bio);

    if (command == BIO_CTRL_EOF) {
        return session->at_end; /* OpenSSL uses it to distinguish an end without close_notify from
                                 * an error */
    }
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *bio_method_create(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "relay socket");

    if (method != NULL) {
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_ctrl(method, bio_control);
    }
    return method;
}

static void format_date(const ASN1_TIME *time, char *text, size_t size)
{
    struct tm date;

    if (time == NULL || ASN1_TIME_to_tm(time, &date) != 1) {
        snprintf(text, size, "an unreadable date");
        return;
    }
    strftime(text, size, "%Y-%m-%d", &date);
}

/* False: it has none. */
static bool first_name(X509 *certificate, char *text, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

    if (names == NULL) {
        return false;
    }
    snprintf(text, size, "another name");
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DNS) {
            snprintf(text, size, "%.*s", ASN1_STRING_length(name->d.dNSName),
                     (const char *)ASN1_STRING_get0_data(name->d.dNSName));
            break;
        }
    }
    GENERAL_NAMES_free(names);
    return true;
}

static void explain_name(struct tls_session *session, X509 *certificate)
{
    const char *host = session->host;
    char name[128];

    if (first_name(certificate, name, sizeof name)) {
        snprintf(session->cause, TLS_CAUSE_SIZE, "certificate of %s is for %s", host, name);
        return;
    }
    /* RFC 9525 §2: names in the subject are ignored, as by browsers. */
    snprintf(session->cause, TLS_CAUSE_SIZE,
             "certificate of %s has no subjectAltName; make it anew with one "
             "(openssl req -addext subjectAltName=DNS:… or IP:…)",
             host);
}

/* The most common fault: the server's file has only its own certificate, without intermediates. */
static void explain_issuer(struct tls_session *session, const X509_STORE_CTX *store)
{
    bool is_alone = sk_X509_num(X509_STORE_CTX_get0_untrusted(store)) <= 1;

    snprintf(session->cause, TLS_CAUSE_SIZE,
             "certificate of %s is signed by an authority that is not trusted here%s",
             session->host,
             is_alone ? ", and the server sends no intermediate certificate with it" : "");
}

/* One sentence for common faults; OpenSSL's text for the rest. */
static void explain(struct tls_session *session, const X509_STORE_CTX *store, X509 *certificate)
{
    int error = X509_STORE_CTX_get_error(store);
    char *cause = session->cause;
    const char *host = session->host;
    char detail[128] = "";

    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        format_date(X509_get0_notAfter(certificate), detail, sizeof detail);
        snprintf(cause, TLS_CAUSE_SIZE, "certificate of %s expired on %s", host, detail);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        format_date(X509_get0_notBefore(certificate), detail, sizeof detail);
        snprintf(cause, TLS_CAUSE_SIZE,
                 "certificate of %s is not valid before %s; is this machine's clock right?", host,
                 detail);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        explain_name(session, certificate);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        snprintf(cause, TLS_CAUSE_SIZE,
                 "certificate of %s is self-signed; name it as the CA file to trust it", host);
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        explain_issuer(session, store);
        break;
    default:
        snprintf(cause, TLS_CAUSE_SIZE, "certificate of %s: %s", host,
                 X509_verify_cert_error_string(error));
        break;
    }
}

/* Only records the first fault: OpenSSL's verdict stands. */
static int on_verify(int verified, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_session *session = SSL_get_app_data(ssl);
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);

    if (!verified && session->cause[0] == '\0' && certificate != NULL) {
        explain(session, store, certificate);
    }
    return verified;
}

/* "4042bcee.0": the file name that c_rehash gives a certificate. */
static bool is_hashed_name(const char *name)
{
    return strlen(name) >= 10 && strspn(name, "0123456789abcdef") == 8 && name[8] == '.';
}

static bool has_hashed_certificates(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    bool found = false;

    if (folder == NULL) {
        return false;
    }
    while (!found && (entry = readdir(folder)) != NULL) {
        found = is_hashed_name(entry->d_name);
    }
    closedir(folder);
    return found;
}

/* A bundle of all authorities takes tens of milliseconds to read, hundreds on a small board, and
 * the client cannot be stopped meanwhile. From a hashed folder only the needed certificates are
 * read. */
static void trust_system(SSL_CTX *ssl_context)
{
    const char *folder = secure_getenv(X509_get_default_cert_dir_env());

    if (folder == NULL) {
        folder = X509_get_default_cert_dir();
    }
    if (secure_getenv(X509_get_default_cert_file_env()) == NULL &&
        has_hashed_certificates(folder)) {
        SSL_CTX_set_default_verify_dir(ssl_context);
    } else {
        SSL_CTX_set_default_verify_paths(ssl_context);
    }
}

static enum progress trust_load(SSL_CTX *ssl_context, const char *ca_file, struct fault *fault)
{
    char cause[PEM_FILE_FAULT_SIZE];

    if (ca_file == NULL) {
        trust_system(ssl_context);
        return PROGRESS_DONE;
    }
    if (SSL_CTX_load_verify_file(ssl_context, ca_file) != 1) {
        pem_file_explain(ca_file, PEM_FILE_CERTIFICATE, cause);
        return fault_set(fault, RELAY_CLIENT_FAULT_TLS, "CA file %s: %s", ca_file, cause);
    }
    /* All certificates in the file are trusted, whether an intermediate authority's or the server's
     * own. */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ssl_context), X509_V_FLAG_PARTIAL_CHAIN);
    return PROGRESS_DONE;
}

enum progress tls_context_init(struct tls_context *context, const char *ca_file, bool insecure,
                               struct fault *fault)
{
    ERR_clear_error();
    context->bio_method = bio_method_create();
    context->ssl_context = SSL_CTX_new(TLS_client_method());
    if (context->ssl_context == NULL || context->bio_method == NULL) {
        tls_context_deinit(context);
        return fault_set(fault, RELAY_CLIENT_FAULT_TLS, "OpenSSL: %s", openssl_error_take());
    }
    SSL_CTX_set_min_proto_version(context->ssl_context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context->ssl_context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(context->ssl_context, insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                       insecure ? NULL : on_verify);
    if (!insecure && trust_load(context->ssl_context, ca_file, fault) != PROGRESS_DONE) {
        tls_context_deinit(context);
        return PROGRESS_FAILED;
    }
    return PROGRESS_DONE;
}

void tls_context_deinit(struct tls_context *context)
{
    SSL_CTX_free(context->ssl_context);
    BIO_meth_free(context->bio_method);
    *context = (struct tls_context){0};
}

static bool name_set(struct tls_session *session, const struct url *url)
{
    SSL *ssl = session->ssl;

    snprintf(session->host, sizeof session->host, "%s", url->host);
    SSL_set_hostflags(ssl,
                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (url_is_address(url)) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), session->host) == 1;
    }
    return SSL_set_tlsext_host_name(ssl, session->host) == 1 &&
           SSL_set1_host(ssl, session->host) == 1;
}

enum progress tls_session_init(struct tls_session *session, const struct tls_context *context,
                               int fd, const struct url *url, struct fault *fault)
{
    BIO *bio = BIO_new(context->bio_method);
    SSL *ssl = SSL_new(context->ssl_context);

    *session = (struct tls_session){.ssl = ssl, .fd = fd};
    if (ssl == NULL || bio == NULL || !name_set(session, url)) {
        BIO_free(bio);
        tls_session_deinit(session);
        return fault_set(fault, RELAY_CLIENT_FAULT_TLS, "OpenSSL: %s", openssl_error_take());
    }
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, session);
    SSL_set_connect_state(ssl);
    return PROGRESS_DONE;
}

void tls_session_deinit(struct tls_session *session)
{
    SSL_free(session->ssl);
    session->ssl = NULL;
}

static enum progress tls_fault(const struct tls_session *session, int ssl_error, int system_error,
                               struct fault *fault)
{
    if (session->cause[0] != '\0') {
        return fault_set(fault, RELAY_CLIENT_FAULT_TLS, "%s", session->cause);
    }
    if (ssl_error == SSL_ERROR_SYSCALL && ERR_peek_error() == 0) {
        return fault_set(fault, RELAY_CLIENT_FAULT_CONNECT, "%s",
                         system_error == 0 ? "connection ended" : strerror(system_error));
    }
    switch (ERR_GET_REASON(ERR_peek_error())) {
    case SSL_R_WRONG_VERSION_NUMBER:
        return fault_set(fault, RELAY_CLIENT_FAULT_TLS, "this port does not speak TLS");
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return fault_set(fault, RELAY_CLIENT_FAULT_TLS, "connection ended in the TLS handshake");
    default:
        return fault_set(fault, RELAY_CLIENT_FAULT_TLS, "TLS: %s", openssl_error_take());
    }
}

enum progress tls_session_handshake(struct tls_session *session, short *ret_events,
                                    struct fault *fault)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(session->ssl);
    int system_error = errno;
    int ssl_error = SSL_get_error(session->ssl, result);

    if (result == 1) {
        return PROGRESS_DONE;
    }
    if (ssl_error == SSL_ERROR_WANT_READ || ssl_error == SSL_ERROR_WANT_WRITE) {
        *ret_events = ssl_error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
        return PROGRESS_WAIT;
    }
    return tls_fault(session, ssl_error, system_error, fault);
}

static ssize_t io_result(struct tls_session *session, int result, int system_error,
                         short *ret_events, struct fault *fault)
{
    int ssl_error = SSL_get_error(session->ssl, result);

    switch (ssl_error) {
    case SSL_ERROR_WANT_READ:
        *ret_events = POLLIN;
        return -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        *ret_events = POLLOUT;
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        break;
    }
    if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        return 0; /* no close_notify; the layers above know whether the peer was done */
    }
    tls_fault(session, ssl_error, system_error, fault);
    return -EIO;
}

ssize_t tls_session_read(struct tls_session *session, void *data, size_t len, short *ret_events,
                         struct fault *fault)
{
    size_t got;

    ERR_clear_error();
    errno = 0;
    int result = SSL_read_ex(session->ssl, data, len, &got);

    return result == 1 ? (ssize_t)got : io_result(session, result, errno, ret_events, fault);
}

ssize_t tls_session_write(struct tls_session *session, const void *data, size_t len,
                          short *ret_events, struct fault *fault)
{
    size_t sent;

    ERR_clear_error();
    errno = 0;
    int result = SSL_write_ex(session->ssl, data, len, &sent);

    if (result == 1) {
        return (ssize_t)sent;
    }
    ssize_t failed = io_result(session, result, errno, ret_events, fault);

    if (failed == 0) {
        fault_set(fault, RELAY_CLIENT_FAULT_CONNECT, "connection ended");
        return -EIO;
    }
    return failed;
}

void tls_session_shutdown(struct tls_session *session)
{
    ERR_clear_error();
    SSL_shutdown(session->ssl);
    ERR_clear_error();
}
