/* A TLS server's certificate made on the spot, and its end of a session. */
#pragma once

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/attributes.h"

enum { TLS_PEER_DAY_S = 24 * 3600 };

/* A self-signed certificate, so that it is also the CA file that trusts it. */
struct tls_peer {
    SSL_CTX *context;
    char ca_file[64];
};

UNUSED static X509 *tls_peer_certificate(EVP_PKEY *key, const char *names, long days)
{
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);

    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -400L * TLS_PEER_DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), days * TLS_PEER_DAY_S);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1,
                               0);
    X509_set_issuer_name(certificate, subject);
    X509_set_pubkey(certificate, key);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    cr_assert_gt(X509_sign(certificate, key, EVP_sha256()), 0);
    return certificate;
}

/* names: "DNS:one.example,IP:127.0.0.1". */
UNUSED static void tls_peer_init(struct tls_peer *peer, const char *names, long days)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = tls_peer_certificate(key, names, days);

    snprintf(peer->ca_file, sizeof peer->ca_file, "/tmp/relay-tls-peer-XXXXXX");
    FILE *file = fdopen(mkstemp(peer->ca_file), "w");

    cr_assert_not_null(file);
    cr_assert_eq(PEM_write_X509(file, certificate), 1);
    cr_assert_eq(fclose(file), 0);
    peer->context = SSL_CTX_new(TLS_server_method());
    cr_assert_eq(SSL_CTX_use_certificate(peer->context, certificate), 1);
    cr_assert_eq(SSL_CTX_use_PrivateKey(peer->context, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

UNUSED static void tls_peer_deinit(struct tls_peer *peer)
{
    SSL_CTX_free(peer->context);
    unlink(peer->ca_file);
}

/* The server's end over a connected socket, for SSL_accept. The caller frees. */
UNUSED static SSL *tls_peer_session(const struct tls_peer *peer, int fd)
{
    SSL *ssl = SSL_new(peer->context);

    cr_assert_not_null(ssl);
    cr_assert_eq(SSL_set_fd(ssl, fd), 1);
    SSL_set_accept_state(ssl);
    return ssl;
}
