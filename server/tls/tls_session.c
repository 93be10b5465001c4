#include "server/tls/tls_session.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/openssl/openssl_error.h"

struct tls_session {
    SSL *ssl;
    struct tls_context *context;
    struct bytes input; /* input of the read BIO during a call */
    uint8_t *output;
    size_t output_size, output_len;
    struct tls_secrets *secrets; /* NULL: no longer needed */
    const char *failure;
    uint8_t *late; /* TLS_LATE_BYTES, allocated only while in use, which is rare */
    size_t late_len;
};

static int bio_read(BIO *bio, char *data, int len)
{
    struct tls_session *session = BIO_get_data(bio);
    size_t take = session->input.len < (size_t)len ? session->input.len : (size_t)len;

    BIO_clear_retry_flags(bio);
    if (take == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(data, session->input.data, take);
    session->input = bytes_skip(session->input, take);
    return (int)take;
}

static int write_late(struct tls_session *session, const char *data, int len)
{
    if (session->late == NULL) {
        session->late = malloc(TLS_LATE_BYTES);
    }
    if (session->late == NULL || (size_t)len > TLS_LATE_BYTES - session->late_len) {
        return -1; /* only a peer that floods with KeyUpdate gets here */
    }
    memcpy(session->late + session->late_len, data, (size_t)len);
    session->late_len += (size_t)len;
    return len;
}

static int bio_write(BIO *bio, const char *data, int len)
{
    struct tls_session *session = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (session->output == NULL) {
        return write_late(session, data, len);
    }
    size_t room = session->output_size - session->output_len;
    size_t put = room < (size_t)len ? room : (size_t)len;

    if (put == 0) {
        BIO_set_retry_write(bio);
        return -1;
    }
    memcpy(session->output + session->output_len, data, put);
    session->output_len += put;
    return (int)put;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *bio_method;

/* Immutable after the first call, and kept for the life of the process. */
static void make_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "relay session");

    if (method == NULL) {
        return;
    }
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_ctrl);
    BIO_meth_set_create(method, bio_create);
    bio_method = method;
}

bool tls_session_prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_bio_method);
    return bio_method != NULL;
}

static bool attach_bio(struct tls_session *session)
{
    BIO *bio = tls_session_prepare() ? BIO_new(bio_method) : NULL;

    if (bio == NULL) {
        return false;
    }
    BIO_set_data(bio, session);
    SSL_set_bio(session->ssl, bio, bio);
    return true;
}

struct tls_session *tls_session_create(struct tls_context *context)
{
    struct tls_session *session = calloc(1, sizeof *session);

    if (session == NULL) {
        return NULL;
    }
    session->context = tls_context_ref(context);
    session->secrets = calloc(1, sizeof *session->secrets);
    session->ssl = tls_context_new_ssl(context);
    if (session->secrets == NULL || session->ssl == NULL || !attach_bio(session)) {
        tls_session_destroy(session);
        return NULL;
    }
    SSL_set_accept_state(session->ssl);
    return session;
}

void tls_session_forget_secrets(struct tls_session *session)
{
    if (session->secrets != NULL) {
        bytes_wipe(session->secrets, sizeof *session->secrets);
        free(session->secrets);
        session->secrets = NULL;
    }
}

void tls_session_destroy(struct tls_session *session)
{
    if (session == NULL) {
        return;
    }
    SSL_free(session->ssl);
    tls_context_unref(session->context);
    tls_session_forget_secrets(session);
    free(session->late);
    free(session);
}

void tls_session_set_output(struct tls_session *session, uint8_t *output, size_t size)
{
    session->output = output;
    session->output_size = size;
    session->output_len = 0;
}

size_t tls_session_output_len(const struct tls_session *session)
{
    return session->output_len;
}

struct bytes tls_session_late(const struct tls_session *session)
{
    return bytes_of(session->late, session->late_len);
}

void tls_session_take_late(struct tls_session *session)
{
    free(session->late);
    session->late = NULL;
    session->late_len = 0;
}

static enum tls_status status_of(struct tls_session *session, int result)
{
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_NONE:
        return TLS_STATUS_OK;
    case SSL_ERROR_WANT_READ:
        return TLS_STATUS_WANT_INPUT;
    case SSL_ERROR_WANT_WRITE:
        return TLS_STATUS_WANT_OUTPUT;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_STATUS_CLOSED;
    default:
        session->failure = ERR_peek_error() == 0 ? NULL : openssl_error_take();
        return TLS_STATUS_FAILED;
    }
}

enum tls_status tls_session_accept(struct tls_session *session, struct bytes *input)
{
    session->input = *input;
    ERR_clear_error();
    int result = SSL_accept(session->ssl);
    enum tls_status status = result == 1 ? TLS_STATUS_OK : status_of(session, result);

    *input = session->input;
    return status;
}

enum tls_status tls_session_decrypt(struct tls_session *session, struct bytes *input,
                                    uint8_t *plain, size_t size, size_t *ret_len)
{
    session->input = *input;
    *ret_len = 0;
    ERR_clear_error();
    int result = SSL_read_ex(session->ssl, plain, size, ret_len);
    enum tls_status status = result == 1 ? TLS_STATUS_OK : status_of(session, result);

    *input = session->input;
    return status;
}

enum tls_status tls_session_encrypt(struct tls_session *session, struct bytes plain)
{
    while (plain.len > 0) {
        size_t written;

        ERR_clear_error();
        int result = SSL_write_ex(session->ssl, plain.data, plain.len, &written);

        if (result != 1) {
            return status_of(session, result);
        }
        plain = bytes_skip(plain, written);
    }
    return TLS_STATUS_OK;
}

void tls_session_close_notify(struct tls_session *session)
{
    ERR_clear_error();
    if (SSL_shutdown(session->ssl) < 0) {
        ERR_clear_error(); /* the connection failed before: there is nothing to send */
    }
}

bool tls_session_is_tls13(const struct tls_session *session)
{
    return SSL_version(session->ssl) == TLS1_3_VERSION;
}

uint16_t tls_session_cipher_id(const struct tls_session *session)
{
    return SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(session->ssl));
}

size_t tls_session_fragment_max(const struct tls_session *session)
{
    const SSL_SESSION *agreed = SSL_get_session(session->ssl);
    unsigned code = agreed == NULL ? 0 : SSL_SESSION_get_max_fragment_length(agreed);

    /* 1 to 4 stand for 512 to 4096 bytes. */
    return code == 0 || code > TLSEXT_max_fragment_length_4096 ? TLS_RECORD_PAYLOAD_MAX
                                                               : (size_t)256 << code;
}

const struct tls_secrets *tls_session_secrets(const struct tls_session *session)
{
    CHECK(session->secrets != NULL);
    return session->secrets;
}

const char *tls_session_version_text(const struct tls_session *session)
{
    return SSL_get_version(session->ssl);
}

const char *tls_session_failure(const struct tls_session *session)
{
    return session->failure == NULL ? "connection broken" : session->failure;
}

static size_t parse_hex(const char *text, uint8_t *bytes, size_t size)
{
    size_t len = 0;

    while (len < size) {
        int high = bytes_hex_digit_value((uint8_t)text[0]);
        int low = high < 0 ? -1 : bytes_hex_digit_value((uint8_t)text[1]);

        if (low < 0) {
            break;
        }
        bytes[len++] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    return len;
}

/* Lines are "LABEL <client random> <secret>" in lower-case hexadecimal. */
void tls_session_on_keylog(const SSL *ssl, const char *line)
{
    static const char client[] = "CLIENT_TRAFFIC_SECRET_0 ";
    static const char server[] = "SERVER_TRAFFIC_SECRET_0 ";
    struct tls_session *session = BIO_get_data(SSL_get_rbio(ssl));
    const char *secret = strrchr(line, ' ');

    if (session->secrets == NULL || secret == NULL) {
        return;
    }
    secret++;
    if (strncmp(line, client, sizeof client - 1) == 0) {
        session->secrets->client_len =
            parse_hex(secret, session->secrets->client, TLS_SECRET_BYTES_MAX);
    } else if (strncmp(line, server, sizeof server - 1) == 0) {
        session->secrets->server_len =
            parse_hex(secret, session->secrets->server, TLS_SECRET_BYTES_MAX);
    }
}
