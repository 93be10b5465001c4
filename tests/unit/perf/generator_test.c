/* Goal: the process that generates load is prepared, or one line says why not. Method: this process
 * is prepared, with a CPU and a CA file that are there or not. */
#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <string.h>

#include "perf/generator.h"

Test(generator, has_no_tls_unless_it_is_asked_for)
{
    struct bench_settings settings = {.client_cpu = -1};
    char error[SPAWN_ERROR_SIZE] = "";
    SSL_CTX *tls;

    cr_assert_eq(generator_prepare(&settings, &tls, error), 0, "%s", error);
    cr_assert_null(tls);
    settings.tls = true;
    settings.insecure = true;
    cr_assert_eq(generator_prepare(&settings, &tls, error), 0, "%s", error);
    cr_assert_not_null(tls);
    SSL_CTX_free(tls);
}

Test(generator, names_what_cannot_be_had)
{
    struct bench_settings settings = {.client_cpu = 100000};
    char error[SPAWN_ERROR_SIZE] = "";
    SSL_CTX *tls;

    cr_assert_lt(generator_prepare(&settings, &tls, error), 0);
    cr_assert_null(tls);
    cr_assert_not_null(strstr(error, "cannot use CPU 100000: "), "%s", error);
    settings = (struct bench_settings){
        .client_cpu = -1, .tls = true, .ca_file = (char[]){"/nonexistent/ca.pem"}};
    cr_assert_eq(generator_prepare(&settings, &tls, error), -EINVAL);
    cr_assert_null(tls);
    cr_assert_not_null(strstr(error, "/nonexistent/ca.pem"), "%s", error);
}
