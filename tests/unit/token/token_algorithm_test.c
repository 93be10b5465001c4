/* Goal: algorithms have the names of RFC 7518 §3.1 and RFC 8037 §3.1, and only those of §3.2 are
 * for secrets. */
#include <criterion/criterion.h>

#include "base/attributes.h"
#include "token/token_algorithm.h"

Test(token_algorithm, names_and_kinds_are_those_of_the_rfcs)
{
    static const struct {
        enum token_algorithm algorithm;
        const char *text;
        bool is_hmac;
    } table[] = {
        {TOKEN_HS256, "HS256", true},  {TOKEN_HS384, "HS384", true},  {TOKEN_HS512, "HS512", true},
        {TOKEN_RS256, "RS256", false}, {TOKEN_ES256, "ES256", false}, {TOKEN_EDDSA, "EdDSA", false},
    };

    cr_assert_eq(ARRAY_LENGTH(table), TOKEN_ALGORITHM_COUNT);
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        cr_expect_str_eq(token_algorithm_text(table[i].algorithm), table[i].text);
        cr_expect_eq(token_algorithm_is_hmac(table[i].algorithm), table[i].is_hmac);
    }
}
