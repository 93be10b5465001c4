/* Goal: a request without a genuine token for this relay is refused with the words that clients
 * know, before anything else is looked at; a genuine one yields its claims. */
#include "server/access/auth.h"

#include "tests/unit/server/access/access_fixture.h"

static struct office office;
static struct auth_refusal refusal;

static void open_office(void)
{
    office_open(&office);
}

static void close_office(void)
{
    office_close(&office);
}

TestSuite(auth, .init = open_office, .fini = close_office);

/* field: the whole line with its end, or "". */
static bool check(const char *field)
{
    parse_request(&office.request, "POST", "/session/t0", field, NULL);
    office.call = (struct access_call){
        .context = &office.context, .request = &office.request, .now_s = NOW_S};
    return auth_check(&office.call, &refusal);
}

static bool check_claims(const char *scheme, const struct token_claims *claims)
{
    static char line[TOKEN_BYTES_MAX + 64];
    char *token = token_of_claims(&office, claims);

    snprintf(line, sizeof line, "Authorization: %s%s\r\n", scheme, token);
    free(token);
    return check(line);
}

static void expect_refusal(const char *message, const char *reason)
{
    cr_expect_str_eq(refusal.message, message);
    cr_expect_str_eq(refusal.reason, reason);
}

/* RFC 6750 §2.1; practable's clients send the token alone. */
Test(auth, a_token_stands_alone_or_behind_its_scheme)
{
    static const char *const schemes[] = {"", "Bearer ", "bearer ", "BEARER  "};
    struct token_claims claims = good_claims();

    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
        cr_expect(check_claims(schemes[i], &claims), "%s", schemes[i]);
        cr_expect_str_eq(office.call.claims.topic, "t0");
        cr_expect_str_eq(office.call.claims.booking_id, "bid0");
    }
}

Test(auth, no_token_is_told_from_a_bad_one)
{
    cr_expect(!check(""));
    expect_refusal("unauthenticated for invalid credentials", "no token");
    cr_expect(!check("Authorization:\r\n"));
    expect_refusal("unauthenticated for invalid credentials", "no token");
    cr_expect(!check("Authorization: Bearer\r\n"));
    expect_refusal("token invalid", "token malformed");
    cr_expect(!check("Authorization: Basic YTpi\r\n"));
    expect_refusal("token invalid", "token malformed");
}

Test(auth, a_token_of_the_past_is_refused_and_its_claims_are_known)
{
    struct token_claims claims = good_claims();

    claims.exp_s = NOW_S;
    cr_expect(!check_claims("", &claims));
    expect_refusal("token invalid", "token expired");
    cr_expect_str_eq(office.call.claims.booking_id, "bid0"); /* for the log */
}

Test(auth, a_forged_token_says_nothing)
{
    struct token_claims claims = good_claims();
    char *token = token_of_claims(&office, &claims);
    static char line[TOKEN_BYTES_MAX + 64];

    token[strlen(token) - 2] ^= 1;
    snprintf(line, sizeof line, "Authorization: %s\r\n", token);
    free(token);
    cr_expect(!check(line));
    expect_refusal("token invalid", "token signature wrong");
    cr_expect_str_eq(office.call.claims.booking_id, "");
}

Test(auth, a_token_for_others_lists_them)
{
    struct token_claims claims = good_claims();

    claims.audiences_count = 0;
    cr_expect(!check_claims("", &claims));
    expect_refusal("aud [] does not match this host " AUDIENCE, "token for another audience");
    cr_assert(token_claims_add_audience(&claims, "https://one"));
    cr_assert(token_claims_add_audience(&claims, "https://two"));
    cr_expect(!check_claims("", &claims));
    expect_refusal("aud [https://one https://two] does not match this host " AUDIENCE,
                   "token for another audience");
    cr_assert(token_claims_add_audience(&claims, AUDIENCE));
    cr_expect(check_claims("", &claims));
}

Test(auth, the_longest_list_of_audiences_fits)
{
    struct token_claims claims = good_claims();
    char audience[TOKEN_TEXT_SIZE];

    memset(audience, 'x', sizeof audience - 1);
    audience[sizeof audience - 1] = '\0';
    claims.audiences_count = 0;
    for (int i = 0; i < TOKEN_AUDIENCES_MAX; i++) {
        cr_assert(token_claims_add_audience(&claims, audience));
    }
    cr_expect(!check_claims("", &claims));
    cr_expect_not_null(strstr(refusal.message, "x] does not match this host " AUDIENCE));
    cr_expect_eq(strlen(refusal.message), strlen("aud [") + TOKEN_AUDIENCES_MAX * sizeof audience -
                                              1 + strlen("] does not match this host " AUDIENCE));
}
