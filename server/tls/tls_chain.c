#include "server/tls/tls_chain.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

bool tls_chain_lacks_names(const SSL_CTX *ctx)
{
    return X509_get_ext_by_NID(SSL_CTX_get0_certificate(ctx), NID_subject_alt_name, -1) < 0;
}

static X509 *issuer_among(STACK_OF(X509) * others, X509 *certificate)
{
    for (int i = 0; i < sk_X509_num(others); i++) {
        X509 *other = sk_X509_value(others, i);

        if (X509_check_issued(other, certificate) == X509_V_OK) {
            return other;
        }
    }
    return NULL;
}

static bool file_has_issuer_of(SSL_CTX *ctx, X509 *certificate)
{
    STACK_OF(X509) *others = NULL;

    SSL_CTX_get0_chain_certs(ctx, &others);
    return issuer_among(others, certificate) != NULL;
}

static bool store_has_issuer_of(X509 *certificate)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *look = X509_STORE_CTX_new();
    X509 *issuer = NULL;
    bool found = false;

    if (store != NULL && look != NULL && X509_STORE_set_default_paths(store) == 1 &&
        X509_STORE_CTX_init(look, store, certificate, NULL) == 1) {
        found = X509_STORE_CTX_get1_issuer(&issuer, look, certificate) == 1;
    }
    X509_free(issuer);
    X509_STORE_CTX_free(look);
    X509_STORE_free(store);
    ERR_clear_error();
    return found;
}

static void name_write(const X509_NAME *name, char text[static TLS_CHAIN_NAME_SIZE])
{
    BIO *out = BIO_new(BIO_s_mem());
    int len = 0;

    if (out != NULL && X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253) >= 0) {
        len = BIO_read(out, text, TLS_CHAIN_NAME_SIZE - 1);
    }
    text[len > 0 ? len : 0] = '\0';
    BIO_free(out);
    ERR_clear_error();
}

bool tls_chain_lacks_issuer(SSL_CTX *ctx, char issuer[static TLS_CHAIN_NAME_SIZE])
{
    X509 *certificate = SSL_CTX_get0_certificate(ctx);

    if (X509_self_signed(certificate, 0) == 1 || file_has_issuer_of(ctx, certificate) ||
        store_has_issuer_of(certificate)) {
        return false;
    }
    name_write(X509_get_issuer_name(certificate), issuer);
    return true;
}
