/* Goal: claims are read as practable's Go decoder reads them, but with types, lengths, counts,
 * depth and duplicates checked; written ones read back the same. Method: tables of payloads. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "token/claims.h"

#define TIMES "\"exp\":30,\"nbf\":20,\"iat\":10"

static enum token_result parse(const char *json, struct token_claims *claims)
{
    return claims_parse(bytes_of_text(json), claims);
}

Test(claims, reads_every_claim)
{
    struct token_claims claims;

    cr_assert_eq(parse("{\"booking_id\":\"b\",\"topic\":\"t/\\u00e9\",\"prefix\":\"session\","
                       "\"scopes\":[\"read\",\"relay:admin\"],\"aud\":[\"x\",\"y\"]," TIMES "}",
                       &claims),
                 TOKEN_OK);
    cr_expect_str_eq(claims.booking_id, "b");
    cr_expect_str_eq(claims.topic, "t/\xc3\xa9");
    cr_expect_str_eq(claims.prefix, "session");
    cr_expect_eq(claims.scopes_count, 2);
    cr_expect(token_claims_have_scope(&claims, "read"));
    cr_expect(token_claims_have_scope(&claims, "relay:admin"));
    cr_expect_not(token_claims_have_scope(&claims, "relay"));
    cr_expect_not(token_claims_have_scope(&claims, ""));
    cr_expect(token_claims_have_audience(&claims, "x"));
    cr_expect(token_claims_have_audience(&claims, "y"));
    cr_expect_not(token_claims_have_audience(&claims, "x/"));
    cr_expect_eq(claims.exp_s, 30);
    cr_expect_eq(claims.nbf_s, 20);
    cr_expect_eq(claims.iat_s, 10);
}

Test(claims, absent_and_null_are_empty)
{
    static const char *const payloads[] = {
        "{" TIMES "}",
        "{\"booking_id\":null,\"topic\":null,\"prefix\":null,\"scopes\":null,\"aud\":null," TIMES
        "}",
        "{\"scopes\":[],\"aud\":[],\"topic\":\"\"," TIMES "}",
        "{\"iss\":\"x\",\"sub\":7,\"jti\":{\"deep\":[[[[[{}]]]]]}," TIMES "}",
        " \n{\t" TIMES "\r} ",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(payloads); i++) {
        struct token_claims claims;

        cr_assert_eq(parse(payloads[i], &claims), TOKEN_OK, "%s", payloads[i]);
        cr_expect_str_empty(claims.booking_id);
        cr_expect_str_empty(claims.topic);
        cr_expect_str_empty(claims.prefix);
        cr_expect_eq(claims.scopes_count, 0);
        cr_expect_eq(claims.audiences_count, 0);
    }
}

Test(claims, audience_may_be_one_text)
{
    struct token_claims claims;

    cr_assert_eq(parse("{\"aud\":\"https://h/access\"," TIMES "}", &claims), TOKEN_OK);
    cr_expect_eq(claims.audiences_count, 1);
    cr_expect(token_claims_have_audience(&claims, "https://h/access"));
}

Test(claims, times_may_be_fractions_and_are_truncated)
{
    static const struct {
        const char *text;
        int64_t exp_s;
    } table[] = {
        {"30.0", 30},
        {"30.999", 30},
        {"3e1", 30},
        {"-0.5", 0},
        {"-1.5", -1},
        {"0", 0},
        {"-7", -7},
        {"1658306108.25", 1658306108},
        {"9007199254740992", INT64_C(9007199254740992)},
        {"-9007199254740992", INT64_C(-9007199254740992)},
        {"9007199254740992.0", INT64_C(9007199254740992)},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        char json[128];
        struct token_claims claims;

        snprintf(json, sizeof json, "{\"exp\":%s,\"nbf\":20,\"iat\":10}", table[i].text);
        cr_assert_eq(parse(json, &claims), TOKEN_OK, "%s", json);
        cr_expect_eq(claims.exp_s, table[i].exp_s, "%s", json);
    }
}

Test(claims, refuses_wrong_types_and_forms)
{
    static const char *const payloads[] = {
        "",
        " ",
        "{",
        "}",
        "null",
        "7",
        "\"text\"",
        "[]",
        "[{" TIMES "}]",
        "{" TIMES "}x",
        "{" TIMES "}{}",
        "{" TIMES ",}",
        "{'exp':1}",
        "{\"topic\":7," TIMES "}",
        "{\"topic\":[\"t\"]," TIMES "}",
        "{\"topic\":true," TIMES "}",
        "{\"booking_id\":{}," TIMES "}",
        "{\"prefix\":1.5," TIMES "}",
        "{\"scopes\":\"read\"," TIMES "}",
        "{\"scopes\":{\"read\":true}," TIMES "}",
        "{\"scopes\":[1]," TIMES "}",
        "{\"scopes\":[null]," TIMES "}",
        "{\"scopes\":[[\"read\"]]," TIMES "}",
        "{\"aud\":1," TIMES "}",
        "{\"aud\":false," TIMES "}",
        "{\"aud\":{}," TIMES "}",
        "{\"aud\":[\"x\",1]," TIMES "}",
        "{\"aud\":[null]," TIMES "}",
        "{\"exp\":\"30\",\"nbf\":20,\"iat\":10}",
        "{\"exp\":true,\"nbf\":20,\"iat\":10}",
        "{\"exp\":30,\"nbf\":[20],\"iat\":10}",
        "{\"exp\":30,\"nbf\":20,\"iat\":{}}",
        "{\"exp\":9007199254740993,\"nbf\":20,\"iat\":10}",
        "{\"exp\":-9007199254740993,\"nbf\":20,\"iat\":10}",
        "{\"exp\":9223372036854775808,\"nbf\":20,\"iat\":10}",
        "{\"exp\":1e300,\"nbf\":20,\"iat\":10}",
        "{\"exp\":1e400,\"nbf\":20,\"iat\":10}",
        "{\"exp\":NaN,\"nbf\":20,\"iat\":10}",
        "{\"exp\":30,\"nbf\":-1e17,\"iat\":10}",
        /* duplicates, near and nested: which of the two would count? */
        "{\"topic\":\"a\",\"topic\":\"b\"," TIMES "}",
        "{" TIMES ",\"exp\":99}",
        "{\"x\":{\"y\":1,\"y\":2}," TIMES "}",
        "{\"to\\u0070ic\":\"a\",\"topic\":\"b\"," TIMES "}",
        /* NUL hides the rest of a C string */
        "{\"topic\":\"a\\u0000b\"," TIMES "}",
        "{\"top\\u0000ic\":\"a\"," TIMES "}",
        /* not UTF-8; a lone surrogate; a control character */
        "{\"topic\":\"\xff\"," TIMES "}",
        "{\"topic\":\"\\ud800\"," TIMES "}",
        "{\"topic\":\"a\nb\"," TIMES "}",
        /* deeper than JSON_TEXT_DEPTH_MAX */
        "{\"x\":[[[[[[[[1]]]]]]]]," TIMES "}",
        "{\"x\":{\"x\":{\"x\":{\"x\":{\"x\":{\"x\":{\"x\":{\"x\":1}}}}}}}}," TIMES "}",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(payloads); i++) {
        struct token_claims claims = {.exp_s = 42};

        cr_expect_eq(parse(payloads[i], &claims), TOKEN_MALFORMED, "%s", payloads[i]);
        cr_expect_eq(claims.exp_s, 42, "touched by %s", payloads[i]);
    }
}

Test(claims, refuses_a_raw_nul_anywhere)
{
    static const char json[] = "{\"topic\":\"ab\",\"exp\":30,\"nbf\":20,\"iat\":10}";

    for (size_t i = 0; i <= sizeof json - 1; i++) {
        char changed[sizeof json + 1];
        struct token_claims claims;

        memcpy(changed, json, i);
        changed[i] = '\0';
        memcpy(changed + i + 1, json + i, sizeof json - i);
        cr_expect_eq(claims_parse(bytes_of(changed, sizeof json), &claims), TOKEN_MALFORMED,
                     "at %zu", i);
    }
}

Test(claims, brackets_inside_texts_are_not_depth)
{
    struct token_claims claims;

    cr_expect_eq(parse("{\"topic\":\"[[[[[[[[[[[[{{{{\\\"[[[[[[[\\\\\"," TIMES "}", &claims),
                 TOKEN_OK);
    cr_expect_str_eq(claims.topic, "[[[[[[[[[[[[{{{{\"[[[[[[[\\");
}

Test(claims, refuses_absent_times)
{
    static const char *const payloads[] = {
        "{}",
        "{\"nbf\":20,\"iat\":10}",
        "{\"exp\":30,\"iat\":10}",
        "{\"exp\":30,\"nbf\":20}",
        "{\"exp\":null,\"nbf\":20,\"iat\":10}",
        "{\"exp\":30,\"nbf\":20,\"IAT\":10}",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(payloads); i++) {
        struct token_claims claims;

        cr_expect_eq(parse(payloads[i], &claims), TOKEN_INCOMPLETE, "%s", payloads[i]);
    }
}

/* {"key":"aaa…"} or {"key":["aaa…"]} with a text of len bytes. */
static enum token_result parse_long_text(const char *key, bool in_list, int len)
{
    char json[1024];
    struct token_claims claims;

    CHECK(len < 512);
    char text[512];

    memset(text, 'a', (size_t)len);
    text[len] = '\0';
    snprintf(json, sizeof json,
             in_list ? "{\"%s\":[\"%s\"]," TIMES "}" : "{\"%s\":\"%s\"," TIMES "}", key, text);
    return parse(json, &claims);
}

Test(claims, texts_have_their_limits)
{
    static const struct {
        const char *key;
        bool in_list;
        int size;
    } table[] = {
        {"booking_id", false, TOKEN_TEXT_SIZE}, {"topic", false, TOKEN_TEXT_SIZE},
        {"prefix", false, TOKEN_PREFIX_SIZE},   {"aud", false, TOKEN_TEXT_SIZE},
        {"aud", true, TOKEN_TEXT_SIZE},         {"scopes", true, TOKEN_SCOPE_SIZE},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        cr_expect_eq(parse_long_text(table[i].key, table[i].in_list, table[i].size - 1), TOKEN_OK,
                     "%s", table[i].key);
        cr_expect_eq(parse_long_text(table[i].key, table[i].in_list, table[i].size), TOKEN_TOO_LONG,
                     "%s", table[i].key);
    }
}

static enum token_result parse_list(const char *key, unsigned count)
{
    char json[1024];
    int len = snprintf(json, sizeof json, "{\"%s\":[", key);
    struct token_claims claims;

    for (unsigned i = 0; i < count; i++) {
        len += snprintf(json + len, sizeof json - (size_t)len, "%s\"a\"", i == 0 ? "" : ",");
    }
    snprintf(json + len, sizeof json - (size_t)len, "]," TIMES "}");
    return parse(json, &claims);
}

Test(claims, lists_have_their_limits)
{
    cr_expect_eq(parse_list("scopes", TOKEN_SCOPES_MAX), TOKEN_OK);
    cr_expect_eq(parse_list("scopes", TOKEN_SCOPES_MAX + 1), TOKEN_TOO_LONG);
    cr_expect_eq(parse_list("aud", TOKEN_AUDIENCES_MAX), TOKEN_OK);
    cr_expect_eq(parse_list("aud", TOKEN_AUDIENCES_MAX + 1), TOKEN_TOO_LONG);
}

Test(claims, adding_stops_at_the_limits)
{
    struct token_claims claims = {0};
    char text[TOKEN_TEXT_SIZE + 1];

    memset(text, 'a', sizeof text);
    text[TOKEN_SCOPE_SIZE] = '\0';
    cr_expect_not(token_claims_add_scope(&claims, text));
    text[TOKEN_SCOPE_SIZE - 1] = '\0';
    for (unsigned i = 0; i < TOKEN_SCOPES_MAX; i++) {
        cr_expect(token_claims_add_scope(&claims, text));
    }
    cr_expect_not(token_claims_add_scope(&claims, "read"));
    cr_expect_eq(claims.scopes_count, TOKEN_SCOPES_MAX);
    cr_expect_not(token_claims_have_scope(&claims, "read"));

    memset(text, 'a', sizeof text);
    text[TOKEN_TEXT_SIZE] = '\0';
    cr_expect_not(token_claims_add_audience(&claims, text));
    text[TOKEN_TEXT_SIZE - 1] = '\0';
    for (unsigned i = 0; i < TOKEN_AUDIENCES_MAX; i++) {
        cr_expect(token_claims_add_audience(&claims, text));
    }
    cr_expect_not(token_claims_add_audience(&claims, "x"));
    cr_expect_eq(claims.audiences_count, TOKEN_AUDIENCES_MAX);
    cr_expect(token_claims_have_audience(&claims, text));
}

static void expect_written(const struct token_claims *claims, const char *expected)
{
    char json[1024] = "";
    size_t len = 0;

    cr_assert_eq(claims_write(claims, json, sizeof json, &len), TOKEN_OK);
    cr_expect(bytes_equal_text(bytes_of(json, len), expected), "%.*s", (int)len, json);
}

/* As practable/relay: of its fields only aud is left out when it is empty. */
Test(claims, writes_in_order_and_empty_texts_too)
{
    struct token_claims claims = {.exp_s = 3, .nbf_s = 2, .iat_s = -1};

    expect_written(&claims, "{\"booking_id\":\"\",\"topic\":\"\",\"prefix\":\"\",\"scopes\":[],"
                            "\"exp\":3,\"nbf\":2,\"iat\":-1}");
    snprintf(claims.prefix, sizeof claims.prefix, "%s", "session");
    snprintf(claims.topic, sizeof claims.topic, "%s", "a/b \"\\\x01 \xe2\x82\xac");
    snprintf(claims.booking_id, sizeof claims.booking_id, "%s", "b");
    cr_assert(token_claims_add_scope(&claims, "relay:admin"));
    cr_assert(token_claims_add_audience(&claims, "u"));
    cr_assert(token_claims_add_audience(&claims, "v"));
    expect_written(&claims, "{\"booking_id\":\"b\",\"topic\":\"a/b \\\"\\\\\\u0001 \xe2\x82\xac\","
                            "\"prefix\":\"session\",\"scopes\":[\"relay:admin\"],"
                            "\"aud\":[\"u\",\"v\"],\"exp\":3,\"nbf\":2,\"iat\":-1}");
}

Test(claims, are_escaped_as_by_the_tools_of_today)
{
    struct token_claims claims = {0};

    snprintf(claims.topic, sizeof claims.topic, "%s", "<b&> \xe2\x80\xa8");
    expect_written(&claims, "{\"booking_id\":\"\",\"topic\":\"\\u003cb\\u0026\\u003e \\u2028\","
                            "\"prefix\":\"\",\"scopes\":[],\"exp\":0,\"nbf\":0,\"iat\":0}");
}

Test(claims, writing_refuses_what_reading_would)
{
    struct token_claims claims = {.exp_s = CLAIMS_TIME_MAX_S};
    char json[128];
    size_t len = 77;

    cr_expect_eq(claims_write(&claims, json, sizeof json, &len), TOKEN_OK);
    cr_expect_eq(claims_write(&claims, json, len + 1, &len), TOKEN_OK);
    cr_expect_eq(claims_write(&claims, json, len, &len), TOKEN_TOO_LONG);
    claims.exp_s++;
    cr_expect_eq(claims_write(&claims, json, sizeof json, &len), TOKEN_MALFORMED);
    claims.exp_s = 0;
    claims.iat_s = -CLAIMS_TIME_MAX_S - 1;
    cr_expect_eq(claims_write(&claims, json, sizeof json, &len), TOKEN_MALFORMED);
    claims.iat_s = 0;
    claims.nbf_s = INT64_MAX;
    cr_expect_eq(claims_write(&claims, json, sizeof json, &len), TOKEN_MALFORMED);
    claims.nbf_s = 0;
    snprintf(claims.topic, sizeof claims.topic, "%s", "\xff");
    cr_expect_eq(claims_write(&claims, json, sizeof json, &len), TOKEN_MALFORMED);
}
