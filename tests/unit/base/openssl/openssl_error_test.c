/* Goal: a reason that people can use. Method: errors put into the queue as OpenSSL does. */
#include "base/openssl/openssl_error.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pemerr.h>
#include <string.h>

Test(openssl_error, passes_over_what_only_names_a_part)
{
    ERR_clear_error();
    cr_assert_str_eq(openssl_error_take(), "unknown cause");
    ERR_raise(ERR_LIB_PEM, PEM_R_NO_START_LINE);
    ERR_raise(ERR_LIB_SSL, ERR_R_PEM_LIB);
    cr_assert_str_eq(openssl_error_take(), "no start line");
    cr_assert_eq(ERR_peek_error(), 0);
    ERR_raise(ERR_LIB_SYS, ENOENT);
    ERR_raise(ERR_LIB_X509, ERR_R_SYS_LIB);
    cr_assert_str_eq(openssl_error_take(), strerror(ENOENT));
    ERR_raise(ERR_LIB_X509, ERR_R_SYS_LIB);
    cr_assert_str_eq(openssl_error_take(), "unknown cause");
}
