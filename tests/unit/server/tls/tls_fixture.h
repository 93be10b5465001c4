/* Certificates made on the spot, and a client of OpenSSL that talks to a tls_session in memory. */
#pragma once

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attributes.h"
#include "server/tls/tls_session.h"

enum { FIXTURE_PATH_SIZE = 128, FIXTURE_FLIGHT_SIZE = 65536, FIXTURE_DAY_S = 24 * 3600 };

struct pair_files {
    char folder[FIXTURE_PATH_SIZE];
    char cert[FIXTURE_PATH_SIZE + 16];
    char key[FIXTURE_PATH_SIZE + 16];
};

UNUSED static void certificate_fill(X509 *certificate, EVP_PKEY *key, const char *name, long days)
{
    char names[64];
    X509_NAME *subject = X509_get_subject_name(certificate);

    snprintf(names, sizeof names, "DNS:%s", name);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -400L * FIXTURE_DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), days * FIXTURE_DAY_S);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    X509_set_pubkey(certificate, key);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);

    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    cr_assert_gt(X509_sign(certificate, key, EVP_sha256()), 0);
}

/* A self-signed certificate for a name, in files of a folder of its own. */
UNUSED static void pair_make(struct pair_files *files, const char *name, long days)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();

    snprintf(files->folder, sizeof files->folder, "/tmp/relay-tls-test-XXXXXX");
    cr_assert_not_null(mkdtemp(files->folder));
    snprintf(files->cert, sizeof files->cert, "%s/cert.pem", files->folder);
    snprintf(files->key, sizeof files->key, "%s/key.pem", files->folder);
    certificate_fill(certificate, key, name, days);
    FILE *cert_file = fopen(files->cert, "w");
    FILE *key_file = fopen(files->key, "w");

    cr_assert(cert_file != NULL && key_file != NULL);
    cr_assert_eq(PEM_write_X509(cert_file, certificate), 1);
    cr_assert_eq(PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(cert_file);
    fclose(key_file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

UNUSED static void pair_remove(const struct pair_files *files)
{
    unlink(files->cert);
    unlink(files->key);
    rmdir(files->folder);
}

UNUSED static struct tls_context *context_make(const struct pair_files *files, unsigned tickets)
{
    struct tls_settings settings = {
        .cert_files = files->cert, .key_files = files->key, .tickets = tickets};
    char error[TLS_ERROR_SIZE] = "";
    struct tls_context *context = tls_context_create(&settings, error);

    cr_assert_not_null(context, "%s", error);
    return context;
}

/* The client's end, with what its own key log said. */
struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *input, *output;
    struct tls_secrets secrets;
};

UNUSED static size_t client_secret(const char *line, const char *label, uint8_t *secret)
{
    long len = 0;

    if (strncmp(line, label, strlen(label)) != 0) {
        return 0;
    }
    unsigned char *bytes = OPENSSL_hexstr2buf(strrchr(line, ' ') + 1, &len);

    memcpy(secret, bytes, (size_t)len);
    OPENSSL_free(bytes);
    return (size_t)len;
}

UNUSED static void client_on_keylog(const SSL *ssl, const char *line)
{
    struct tls_secrets *secrets = SSL_get_app_data(ssl);
    size_t client_len = client_secret(line, "CLIENT_TRAFFIC_SECRET_0 ", secrets->client);
    size_t server_len = client_secret(line, "SERVER_TRAFFIC_SECRET_0 ", secrets->server);

    secrets->client_len = client_len > 0 ? client_len : secrets->client_len;
    secrets->server_len = server_len > 0 ? server_len : secrets->server_len;
}

UNUSED static void client_init(struct client *client, int version, const char *suite)
{
    *client = (struct client){.ctx = SSL_CTX_new(TLS_client_method())};
    SSL_CTX_set_min_proto_version(client->ctx, version);
    SSL_CTX_set_max_proto_version(client->ctx, version);
    SSL_CTX_set_keylog_callback(client->ctx, client_on_keylog);
    if (suite != NULL) {
        cr_assert_eq(SSL_CTX_set_ciphersuites(client->ctx, suite), 1);
    }
    client->ssl = SSL_new(client->ctx);
    client->input = BIO_new(BIO_s_mem());
    client->output = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(client->input, -1);
    SSL_set_bio(client->ssl, client->input, client->output);
    SSL_set_app_data(client->ssl, &client->secrets);
    SSL_set_tlsext_host_name(client->ssl, "one.example");
    SSL_set_connect_state(client->ssl);
}

UNUSED static void client_deinit(struct client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->ctx);
}

/* Output of the client. */
UNUSED static size_t client_take(struct client *client, uint8_t *flight)
{
    int len = BIO_read(client->output, flight, FIXTURE_FLIGHT_SIZE);

    return len > 0 ? (size_t)len : 0;
}

/* Gives the server's output to the client; returns its length. */
UNUSED static size_t server_flush(struct tls_session *session, struct client *client,
                                  const uint8_t *output)
{
    size_t len = tls_session_output_len(session);

    if (len > 0) {
        cr_assert_eq(BIO_write(client->input, output, (int)len), (int)len);
    }
    return len;
}

/* Runs the handshake to its end on both sides; the status of the server's last call. */
UNUSED static enum tls_status shake_hands(struct tls_session *session, struct client *client)
{
    static uint8_t flight[FIXTURE_FLIGHT_SIZE];
    static uint8_t output[FIXTURE_FLIGHT_SIZE];
    enum tls_status status = TLS_STATUS_WANT_INPUT;

    for (unsigned turn = 0; turn < 10 && status == TLS_STATUS_WANT_INPUT; turn++) {
        SSL_do_handshake(client->ssl);
        struct bytes input = bytes_of(flight, client_take(client, flight));

        tls_session_set_output(session, output, sizeof output);
        status = tls_session_accept(session, &input);
        server_flush(session, client, output);
        tls_session_set_output(session, NULL, 0);
    }
    return status;
}
