/* Goal: a file of the wrong kind is refused with the mistake, in no word of OpenSSL's own.
 * Method: a table of files, each refused by OpenSSL first. */
#include "base/openssl/pem_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attributes.h"

static const struct {
    const char *content;
    enum pem_file_content wanted;
    const char *fault;
} cases[] = {
    {"", PEM_FILE_CERTIFICATE, "is empty"},
    {"", PEM_FILE_PRIVATE_KEY, "is empty"},
    {"hello\n", PEM_FILE_CERTIFICATE, "is not PEM"},
    {"0\x82\x01\x02", PEM_FILE_CERTIFICATE, "DER"},
    {"-----BEGIN CERTIFICATE-----\nMIIB", PEM_FILE_CERTIFICATE, "is cut off"},
    {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", PEM_FILE_CERTIFICATE,
     "is damaged"},
    {"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
     PEM_FILE_CERTIFICATE, "a request for a certificate"},
    {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", PEM_FILE_CERTIFICATE,
     "a private key and no certificate"},
    {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", PEM_FILE_PRIVATE_KEY,
     "a certificate and no private key"},
    {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
     PEM_FILE_PRIVATE_KEY, "encrypted"},
    {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", PEM_FILE_PRIVATE_KEY,
     "is damaged"},
};

static void refused_by_openssl(const char *path, enum pem_file_content wanted)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    cr_assert_neq(wanted == PEM_FILE_CERTIFICATE
                      ? SSL_CTX_use_certificate_chain_file(ctx, path)
                      : SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM),
                  1);
    SSL_CTX_free(ctx);
}

static void explained(const char *path, enum pem_file_content wanted, const char *expected)
{
    char fault[PEM_FILE_FAULT_SIZE] = "";

    refused_by_openssl(path, wanted);
    pem_file_explain(path, wanted, fault);
    cr_expect_not_null(strstr(fault, expected), "\"%s\" does not say \"%s\"", fault, expected);
    cr_expect_null(strstr(fault, " lib"), "%s", fault);
    cr_expect_gt(strlen(fault), 0);
    cr_expect_eq(ERR_peek_error(), 0);
}

Test(pem_file, says_what_is_wrong)
{
    char path[] = "/tmp/relay-pem-test-XXXXXX";
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        size_t len = strlen(cases[i].content);

        cr_assert_eq(ftruncate(fd, 0), 0);
        cr_assert_eq(pwrite(fd, cases[i].content, len, 0), (ssize_t)len);
        explained(path, cases[i].wanted, cases[i].fault);
    }
    close(fd);
    unlink(path);
}

Test(pem_file, names_the_systems_cause)
{
    explained("/nonexistent/a.pem", PEM_FILE_CERTIFICATE, strerror(ENOENT));
    explained("/tmp", PEM_FILE_PRIVATE_KEY, strerror(EISDIR));
}
