/* Goal: what clients will refuse is seen where the server starts. Method: certificates made on the
 * spot: root, middle and leaf, each with or without what it needs. */
#include "server/tls/tls_chain.h"

#include "tests/unit/server/tls/tls_fixture.h"

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

static void extension_add(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    cr_assert_not_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/* issuer NULL: signs itself. */
static struct identity identity_make(const char *name, const struct identity *issuer,
                                     bool is_authority, const char *names)
{
    struct identity made = {.key = EVP_EC_gen("P-256"), .certificate = X509_new()};
    X509 *certificate = made.certificate;
    X509_NAME *subject = X509_get_subject_name(certificate);

    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -FIXTURE_DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), FIXTURE_DAY_S);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate,
                         issuer == NULL ? subject : X509_get_subject_name(issuer->certificate));
    X509_set_pubkey(certificate, made.key);
    extension_add(certificate, NID_basic_constraints, is_authority ? "CA:TRUE" : "CA:FALSE");
    if (names != NULL) {
        extension_add(certificate, NID_subject_alt_name, names);
    }
    cr_assert_gt(X509_sign(certificate, issuer == NULL ? made.key : issuer->key, EVP_sha256()), 0);
    return made;
}

static void identity_release(struct identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
}

static struct identity root, middle, leaf, nameless;

static void start(void)
{
    setenv("SSL_CERT_FILE", "/nonexistent", 1);
    setenv("SSL_CERT_DIR", "/nonexistent", 1);
    root = identity_make("root", NULL, true, NULL);
    middle = identity_make("middle", &root, true, NULL);
    leaf = identity_make("leaf", &middle, false, "DNS:leaf.example");
    nameless = identity_make("nameless", NULL, false, NULL);
}

static void stop(void)
{
    identity_release(&root);
    identity_release(&middle);
    identity_release(&leaf);
    identity_release(&nameless);
}

TestSuite(tls_chain, .init = start, .fini = stop);

static SSL_CTX *serving(const struct identity *first, const struct identity *second,
                        const struct identity *third)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    cr_assert_eq(SSL_CTX_use_certificate(ctx, first->certificate), 1);
    if (second != NULL) {
        cr_assert_eq(SSL_CTX_add1_chain_cert(ctx, second->certificate), 1);
    }
    if (third != NULL) {
        cr_assert_eq(SSL_CTX_add1_chain_cert(ctx, third->certificate), 1);
    }
    return ctx;
}

Test(tls_chain, sees_where_it_ends)
{
    const struct {
        const struct identity *first, *second, *third;
        const char *issuer; /* that is missing; NULL: none */
    } cases[] = {
        {&root, NULL, NULL, NULL},     {&leaf, NULL, NULL, "CN=middle"},
        {&leaf, &middle, NULL, NULL},  {&leaf, &middle, &root, NULL},
        {&leaf, &root, &middle, NULL}, {&leaf, &root, NULL, "CN=middle"},
        {&nameless, NULL, NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        SSL_CTX *ctx = serving(cases[i].first, cases[i].second, cases[i].third);
        char issuer[TLS_CHAIN_NAME_SIZE] = "";

        cr_expect_eq(tls_chain_lacks_issuer(ctx, issuer), cases[i].issuer != NULL, "case %zu", i);
        cr_expect_str_eq(issuer, cases[i].issuer == NULL ? "" : cases[i].issuer, "case %zu", i);
        cr_expect_eq(ERR_peek_error(), 0);
        SSL_CTX_free(ctx);
    }
}

Test(tls_chain, an_authority_of_the_system_need_not_be_sent)
{
    char path[] = "/tmp/relay-chain-test-XXXXXX";
    char issuer[TLS_CHAIN_NAME_SIZE] = "";
    FILE *file = fdopen(mkstemp(path), "w");
    SSL_CTX *ctx = serving(&leaf, NULL, NULL);

    cr_assert_not_null(file);
    PEM_write_X509(file, middle.certificate);
    fclose(file);
    setenv("SSL_CERT_FILE", path, 1);
    cr_assert(!tls_chain_lacks_issuer(ctx, issuer));
    SSL_CTX_free(ctx);
    unlink(path);
}

Test(tls_chain, sees_that_names_are_missing)
{
    SSL_CTX *named = serving(&leaf, NULL, NULL), *unnamed = serving(&nameless, NULL, NULL);

    cr_assert(!tls_chain_lacks_names(named));
    cr_assert(tls_chain_lacks_names(unnamed));
    SSL_CTX_free(named);
    SSL_CTX_free(unnamed);
}
