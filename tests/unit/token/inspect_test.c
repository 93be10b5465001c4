/* Goal: the explanation says what the token says, who signed it and why it is refused, and gives
 * nothing away. Method: the whole text compared for whole tokens; each reason by its last line;
 * hostile tokens by the characters that reach the terminal. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "token/inspect.h"
#include "token/token.h"
#include "token_craft.h"

#define SECRET  "a secret that must not be shown"
#define HEADER  "{\"alg\":\"HS256\"}"
#define PAYLOAD "{\"aud\":\"https://a\",\"exp\":1000,\"nbf\":900,\"iat\":900}"

enum { NOW_S = 950, TEXT_SIZE = 65536 };

static void start(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
}

TestSuite(inspect, .init = start);

static bool inspect_at(const char *token, const char *audience, int64_t now_s,
                       char text[static TEXT_SIZE])
{
    FILE *out = fmemopen(text, TEXT_SIZE, "w");
    struct token_inspection inspection = {
        .keys = token_keys_create(SECRET), .audience = audience, .now_s = now_s};
    bool valid = token_inspect(&inspection, bytes_of_text(token), out);

    token_keys_destroy((struct token_keys *)(uintptr_t)inspection.keys);
    cr_assert_eq(fclose(out), 0);
    cr_expect_null(strstr(text, SECRET));
    return valid;
}

static void expect_text(const char *header, const char *payload, const char *secret, bool valid,
                        const char *expected)
{
    char text[TEXT_SIZE];
    char *token = craft_token(header, payload, secret);

    cr_expect_eq(inspect_at(token, NULL, NOW_S, text), valid);
    cr_expect_str_eq(text, expected);
    cr_expect_null(strstr(text, strrchr(token, '.') + 1), "the signature is shown");
    free(token);
}

Test(inspect, explains_a_valid_token)
{
    expect_text("{\"alg\":\"HS256\",\"kid\":\"x\"}",
                "{\"topic\":\"t\",\"scopes\":[\"read\"],\"x\":null,\"exp\":1000,\"nbf\":950,"
                "\"iat\":900.5}",
                SECRET, true,
                "Header\n"
                "  alg: \"HS256\"\n"
                "  kid: \"x\"\n"
                "Claims\n"
                "  topic: \"t\"\n"
                "  scopes: [\"read\"]\n"
                "  x: null\n"
                "  exp: 1000 (1970-01-01 00:16:40 +0000, expires in 50 s)\n"
                "  nbf: 950 (1970-01-01 00:15:50 +0000, valid since now)\n"
                "  iat: 900.5 (1970-01-01 00:15:00 +0000, issued 50 s ago)\n"
                "Keys\n"
                "  HS256 from the secret: signed this token\n"
                "Verdict\n"
                "  valid\n");
}

Test(inspect, warns_of_claims_that_nobody_signed)
{
    expect_text(HEADER, "{\"exp\":\"soon\"}", "another", false,
                "Header\n"
                "  alg: \"HS256\"\n"
                "Claims (anybody may have written them)\n"
                "  exp: \"soon\"\n"
                "Keys\n"
                "  HS256 from the secret\n"
                "Verdict\n"
                "  refused: token signature wrong (signature); none of the keys above made it, or "
                "the token was "
                "changed since\n");
}

Test(inspect, works_without_a_key)
{
    char text[TEXT_SIZE];
    FILE *out = fmemopen(text, sizeof text, "w");
    char *token = craft_token(HEADER, "{}", SECRET);

    cr_expect_not(
        token_inspect(&(struct token_inspection){.now_s = NOW_S}, bytes_of_text(token), out));
    fclose(out);
    cr_expect_str_eq(text, "Header\n  alg: \"HS256\"\nClaims (anybody may have written them)\n"
                           "Keys\n  none is configured\n"
                           "Verdict\n  refused: no key is configured to check it with\n");
    free(token);
}

Test(inspect, tells_each_reason)
{
    static const struct {
        const char *header;
        const char *payload;
        int64_t now_s;
        const char *verdict;
    } table[] = {
        {HEADER, PAYLOAD, NOW_S, "valid\n"},
        {HEADER, PAYLOAD, 1000, "refused: token expired (exp)\n"},
        {HEADER, PAYLOAD, 869, "refused: token not valid yet (nbf)\n"},
        {HEADER, "{\"exp\":1}", NOW_S, "refused: token lacks exp, nbf or iat (nbf)\n"},
        {HEADER, "{\"exp\":1000,\"nbf\":900,\"iat\":990}", NOW_S,
         "refused: token not valid yet (iat)\n"},
        {HEADER, "{\"exp\":1000,\"nbf\":900,\"iat\":null}", NOW_S,
         "refused: token lacks exp, nbf or iat (iat)\n"},
        {HEADER, "{\"topic\":[]}", NOW_S,
         "refused: token malformed (topic); docs/protocol.md says what a token may hold\n"},
        {HEADER, "{\"prefix\":\"0123456789012345678901234567890123456789\"}", NOW_S,
         "refused: token or one of its claims too long (prefix)\n"},
        {HEADER, "{\"scopes\":\"read\"}", NOW_S,
         "refused: token malformed (scopes); docs/protocol.md says what a token may hold\n"},
        {HEADER, "{\"aud\":[1]}", NOW_S,
         "refused: token malformed (aud); docs/protocol.md says what a token may hold\n"},
        {HEADER, "[]", NOW_S,
         "refused: token malformed (claims); docs/protocol.md says what a token may hold\n"},
        {"[]", PAYLOAD, NOW_S,
         "refused: token malformed (header); docs/protocol.md says what a token may hold\n"},
        {"{\"alg\":\"HS256\",\"crit\":[]}", PAYLOAD, NOW_S,
         "refused: token malformed (crit); docs/protocol.md says what a token may hold\n"},
        {"{\"alg\":\"HS256\",\"kid\":1}", PAYLOAD, NOW_S,
         "refused: token malformed (kid); docs/protocol.md says what a token may hold\n"},
        {"{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", PAYLOAD, NOW_S, "valid\n"},
        {HEADER, "{\"exp\":\"1\"}", NOW_S,
         "refused: token malformed (exp); docs/protocol.md says what a token may hold\n"},
        {"{\"alg\":\"none\"}", PAYLOAD, NOW_S,
         "refused: token algorithm not accepted (alg); no key of that algorithm is configured "
         "under that "
         "kid\n"},
        {"{\"alg\":\"RS256\"}", PAYLOAD, NOW_S,
         "refused: token algorithm not accepted (alg); no key of that algorithm is configured "
         "under that "
         "kid\n"},
        {"{}", PAYLOAD, NOW_S,
         "refused: token malformed (alg); docs/protocol.md says what a token may hold\n"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        char text[TEXT_SIZE], end[512];
        char *token = craft_token(table[i].header, table[i].payload, SECRET);
        bool valid = inspect_at(token, "https://a", table[i].now_s, text);

        snprintf(end, sizeof end, "Verdict\n  %s", table[i].verdict);
        cr_expect_eq(valid, table[i].verdict[0] == 'v');
        cr_assert_geq(strlen(text), strlen(end));
        cr_expect_str_eq(text + strlen(text) - strlen(end), end, "%s", text);
        free(token);
    }
}

Test(inspect, judges_the_audience_when_it_is_known)
{
    static const struct {
        const char *audience;
        bool valid;
    } table[] = {{NULL, true}, {"", true}, {"https://a", true}, {"https://b", false}, {"a", false}};

    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        char text[TEXT_SIZE];
        char *token = craft_token(HEADER, PAYLOAD, SECRET);

        cr_expect_eq(inspect_at(token, table[i].audience, NOW_S, text), table[i].valid);
        cr_expect_eq(strstr(text, "refused: aud does not name") == NULL, table[i].valid);
        free(token);
    }
}

Test(inspect, says_times_in_the_unit_that_fits)
{
    static const struct {
        int64_t exp_s;
        const char *relative;
    } table[] = {
        {NOW_S, "expired now"},
        {NOW_S + 1, "expires in 1 s"},
        {NOW_S + 119, "expires in 119 s"},
        {NOW_S + 120, "expires in 2 min"},
        {NOW_S + 7199, "expires in 119 min"},
        {NOW_S + 7200, "expires in 2 h"},
        {NOW_S + 172799, "expires in 47 h"},
        {NOW_S + 172800, "expires in 2 d"},
        {NOW_S + 730 * 86400, "expires in 2 years"},
        {NOW_S - 10800, "expired 3 h ago"},
        {INT64_C(1) << 53, "expires in 285616414 years"},
        {-(INT64_C(1) << 53), "expired 285616414 years ago"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        char text[TEXT_SIZE], payload[128], expected[64];

        snprintf(payload, sizeof payload, "{\"exp\":%lld,\"nbf\":0,\"iat\":0}",
                 (long long)table[i].exp_s);
        char *token = craft_token(HEADER, payload, SECRET);

        (void)inspect_at(token, NULL, NOW_S, text);
        snprintf(expected, sizeof expected, ", %s)\n", table[i].relative);
        cr_expect_not_null(strstr(text, expected), "%s", text);
        free(token);
    }
}

Test(inspect, times_that_are_none_are_shown_as_they_are)
{
    static const char *const values[] = {"\"1000\"", "1e300", "9007199254740993", "null", "[1]"};

    for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
        char text[TEXT_SIZE], payload[128];

        snprintf(payload, sizeof payload, "{\"exp\":%s}", values[i]);
        char *token = craft_token(HEADER, payload, SECRET);

        cr_expect_not(inspect_at(token, NULL, NOW_S, text));
        char *claim = strstr(text, "  exp: ");

        cr_assert_not_null(claim);
        cr_expect_null(memchr(claim, '(', strcspn(claim, "\n")), "%s", text);
        free(token);
    }
}

static void expect_harmless(const char *token)
{
    char text[TEXT_SIZE];

    (void)inspect_at(token, "\x1b[31m", NOW_S, text);
    for (const char *c = text; *c != '\0'; c++) {
        cr_assert((*c >= ' ' && *c < 0x7f) || *c == '\n', "%02x in %s", (unsigned char)*c, text);
    }
}

Test(inspect, nothing_but_printable_ascii_reaches_the_terminal)
{
    static const char *const payloads[] = {
        "{\"topic\":\"\\u001b[2J\x7f\xc2\x9b\"}",
        "{\"\\u001b]0;x\\u0007\":1,\"\xe2\x80\xae\":2}",
        "{\"topic\":\"\n\"}",
        "\x1b[2J",
        "{\"exp\":1000,\"nbf\":900,\"iat\":900,\"aud\":\"\\u009b\"}",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(payloads); i++) {
        char *token = craft_token(HEADER, payloads[i], SECRET);

        expect_harmless(token);
        free(token);
    }
    expect_harmless("\x1b[2J.\x1b[2J.x");
}

/* A secret pasted in place of a token must not appear in the output. */
Test(inspect, a_text_that_is_no_token_is_not_repeated)
{
    static const char *const texts[] = {"hunter2", "hunter2.hunter2", "hunter2.hunter2.hunter2",
                                        "hunter2..", ""};

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        char text[TEXT_SIZE];

        cr_expect_not(inspect_at(texts[i], NULL, NOW_S, text));
        cr_expect_null(strstr(text, "hunter2"), "%s", text);
    }
}
