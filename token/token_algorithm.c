#include "token/token_algorithm.h"

#include "base/check.h"

const char *token_algorithm_text(enum token_algorithm algorithm)
{
    static const char *const texts[TOKEN_ALGORITHM_COUNT] = {
        [TOKEN_HS256] = "HS256", [TOKEN_EDDSA] = "EdDSA", [TOKEN_ES256] = "ES256",
        [TOKEN_RS256] = "RS256", [TOKEN_HS384] = "HS384", [TOKEN_HS512] = "HS512",
    };

    CHECK(algorithm < TOKEN_ALGORITHM_COUNT);
    return texts[algorithm];
}

bool token_algorithm_is_hmac(enum token_algorithm algorithm)
{
    return algorithm == TOKEN_HS256 || algorithm == TOKEN_HS384 || algorithm == TOKEN_HS512;
}
