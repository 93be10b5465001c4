/* Goal: a set of certificates is taken only when all of it is good, and the reason says which file
 * is not; a change of a file changes the stamp; a set lives as long as anybody holds it.
 * Method: certificates made on the spot, good, expired, mixed up and cut off. */
#include <sys/stat.h>
#include <utime.h>

#include "tests/unit/server/tls/tls_fixture.h"

static struct pair_files one, two, expired;

static void start(void)
{
    pair_make(&one, "one.example", 30);
    pair_make(&two, "two.example", 60);
    pair_make(&expired, "old.example", -10);
}

static void stop(void)
{
    pair_remove(&one);
    pair_remove(&two);
    pair_remove(&expired);
}

TestSuite(tls_context, .init = start, .fini = stop);

static void refused(const char *cert, const char *key, const char *reason)
{
    struct tls_settings settings = {.cert_files = cert, .key_files = key};
    char error[TLS_ERROR_SIZE] = "";

    cr_assert_null(tls_context_create(&settings, error), "%s %s", cert, key);
    cr_assert_not_null(strstr(error, reason), "\"%s\" does not say \"%s\"", error, reason);
    cr_assert_null(strstr(error, "PRIVATE"), "%s", error);
    cr_assert_null(strstr(error, " lib"), "\"%s\" says nothing to people", error);
    cr_assert_eq(ERR_peek_error(), 0, "nothing is left in the queue of errors");
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

Test(tls_context, says_what_is_wrong_with_which_file)
{
    char both_certs[512], both_keys[512], many[8192] = "x";

    snprintf(both_certs, sizeof both_certs, "%s,%s", one.cert, two.cert);
    snprintf(both_keys, sizeof both_keys, "%s,%s", one.key, expired.key);
    for (unsigned i = 0; i < TLS_PAIRS_MAX; i++) {
        memcpy(many + 1 + 2 * i, ",x", sizeof ",x");
    }
    refused("/nowhere/a.pem", one.key, "/nowhere/a.pem: No such file");
    refused(one.cert, "/nowhere/a.key", "/nowhere/a.key: No such file");
    refused(one.cert, two.key, "does not belong to the certificate");
    refused(one.folder, one.key, "Is a directory");
    refused(expired.cert, expired.key, "expired");
    refused(one.key, one.key, "key.pem: holds a private key and no certificate");
    refused(one.cert, one.cert, "cert.pem: holds a certificate and no private key");
    refused(both_certs, one.key, "same number");
    refused(both_certs, both_keys, "does not belong");
    refused(one.cert, "", "same number");
    refused("", "", "same number");
    refused(many, many, "at most 16");
}

Test(tls_context, refuses_files_that_are_cut_off_or_empty)
{
    write_file(two.cert, "");
    refused(two.cert, two.key, "cert.pem: is empty");
    write_file(two.cert, "-----BEGIN CERTIFICATE-----\nMIIB");
    refused(two.cert, two.key, "cert.pem: is cut off");
    write_file(one.key, "-----BEGIN PRIVATE KEY-----\n\n-----END PRIVATE KEY-----\n");
    refused(one.cert, one.key, one.key);
}

Test(tls_context, ends_with_its_earliest_certificate)
{
    char certs[512], keys[512];

    snprintf(certs, sizeof certs, "%s,%s", two.cert, one.cert);
    snprintf(keys, sizeof keys, "%s,%s", two.key, one.key);
    struct tls_settings settings = {.cert_files = certs, .key_files = keys};
    char error[TLS_ERROR_SIZE];
    struct tls_context *context = tls_context_create(&settings, error);

    cr_assert_not_null(context, "%s", error);
    int64_t left_s = tls_context_expires_s(context) - time(NULL);

    cr_assert(left_s > 29 * FIXTURE_DAY_S && left_s <= 30 * FIXTURE_DAY_S, "%ld s", (long)left_s);
    tls_context_unref(context);
}

Test(tls_context, finds_names_without_a_slash_among_the_credentials)
{
    struct tls_settings settings = {.cert_files = "cert.pem", .key_files = "key.pem"};
    char error[TLS_ERROR_SIZE];

    refused("cert.pem", "key.pem", "No such file");
    setenv("CREDENTIALS_DIRECTORY", one.folder, 1);
    struct tls_context *context = tls_context_create(&settings, error);

    cr_assert_not_null(context, "%s", error);
    cr_assert_neq(tls_context_stamp(&settings), 0);
    tls_context_unref(context);
    unsetenv("CREDENTIALS_DIRECTORY");
}

Test(tls_context, stamp_changes_with_each_file_and_with_nothing_else)
{
    struct tls_settings settings = {.cert_files = one.cert, .key_files = one.key};
    struct tls_settings nowhere = {.cert_files = "/nowhere/a", .key_files = "/nowhere/b"};
    const char *const changed[] = {one.cert, one.key};
    uint64_t stamp = tls_context_stamp(&settings);

    cr_assert_neq(stamp, 0);
    cr_assert_eq(tls_context_stamp(&settings), stamp);
    cr_assert_eq(tls_context_stamp(&nowhere), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(changed); i++) {
        struct utimbuf times = {.actime = 1000, .modtime = 1000 + (time_t)i};

        utime(changed[i], &times);
        cr_assert_neq(tls_context_stamp(&settings), stamp, "time of file %zu", i);
        stamp = tls_context_stamp(&settings);
        FILE *file = fopen(changed[i], "a");

        fputc('\n', file);
        fclose(file);
        utime(changed[i], &times);
        cr_assert_neq(tls_context_stamp(&settings), stamp, "size of file %zu", i);
        stamp = tls_context_stamp(&settings);
    }
    unlink(one.key);
    cr_assert_neq(tls_context_stamp(&settings), stamp, "a file that went");
}

Test(tls_context, refuses_old_versions_and_only_those)
{
    static const struct {
        int version;
        bool tls13_only, works;
    } cases[] = {{TLS1_3_VERSION, false, true},
                 {TLS1_3_VERSION, true, true},
                 {TLS1_2_VERSION, false, true},
                 {TLS1_2_VERSION, true, false},
                 {TLS1_1_VERSION, false, false}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct tls_settings settings = {
            .cert_files = one.cert, .key_files = one.key, .tls13_only = cases[i].tls13_only};
        char error[TLS_ERROR_SIZE];
        struct tls_context *context = tls_context_create(&settings, error);
        struct tls_session *session = tls_session_create(context);
        struct client client;

        client_init(&client, cases[i].version, NULL);
        SSL_set_security_level(client.ssl, 0);
        enum tls_status status = shake_hands(session, &client);

        cr_assert_eq(status, cases[i].works ? TLS_STATUS_OK : TLS_STATUS_FAILED, "case %zu", i);
        tls_session_destroy(session);
        client_deinit(&client);
        tls_context_unref(context);
    }
}
