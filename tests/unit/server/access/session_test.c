/* Goal: POST /session/{id} gives a code for exactly what the token allows, and says in the known
 * words, in the known order, why not.
 * Method: good claims, spoilt one at a time. */
#include "server/bookings/code_store.h"
#include "tests/unit/server/access/access_fixture.h"

static struct office office;

static void open_office(void)
{
    office_open(&office);
}

static void close_office(void)
{
    office_close(&office);
}

TestSuite(session, .init = open_office, .fini = close_office);

static void expect_refusal(const char *target, const struct token_claims *claims, unsigned status,
                           const char *body)
{
    uint64_t refused = office.counters.sessions_refused;

    ask_with_claims(&office, target, claims);
    expect_reply(&office, status, body);
    cr_assert_eq(office.counters.sessions_refused, refused + 1);
    cr_assert_eq(code_store_count(office.context.codes), 0);
}

Test(session, names_missing_claims_first)
{
    static const char body[] = "\"Token Missing Required Claims\"\n";
    struct token_claims claims = good_claims();

    claims.booking_id[0] = '\0';
    claims.topic[0] = '\0';
    expect_refusal("/session/%zz", &claims, 401, body);
    claims = good_claims();
    claims.prefix[0] = '\0';
    expect_refusal("/session/other", &claims, 401, body);
    claims = good_claims();
    claims.scopes_count = 0;
    expect_refusal("/session/t0", &claims, 401, body);
}

Test(session, wants_a_session_id_that_can_be_decoded)
{
    struct token_claims claims = good_claims();

    claims.booking_id[0] = '\0';
    expect_refusal("/session/%zz", &claims, 401, "\"Path Missing SessionID\"\n");
    expect_refusal("/session/%00", &claims, 401, "\"Path Missing SessionID\"\n");
}

Test(session, is_given_for_the_topic_of_the_token_only)
{
    static const char *const others[] = {"/session/t1", "/session/t", "/session/t00", "/session/T0",
                                         "/session/t0%20"};
    struct token_claims claims = good_claims();

    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        expect_refusal(others[i], &claims, 401, "\"Token Wrong Topic\"\n");
    }
}

Test(session, finds_topics_with_any_character)
{
    static const struct {
        const char *topic;
        const char *target;
    } cases[] = {{"a/b", "/session/a%2Fb"},
                 {"a b", "/session/a%20b"},
                 {"\xc3\xa9", "/session/%C3%A9"},
                 {"100%", "/session/100%25"},
                 {"a+b", "/session/a+b"}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct token_claims claims = good_claims();
        char expected[256];

        snprintf(claims.topic, sizeof claims.topic, "%s", cases[i].topic);
        ask_with_claims(&office, cases[i].target, &claims);
        snprintf(expected, sizeof expected,
                 "{\"uri\":\"" RELAY "/session/%s?code=", cases[i].topic);
        cr_assert_eq(strncmp(office.reply.body, expected, strlen(expected)), 0, "%s",
                     office.reply.body);
        granted_code(&office);
    }
}

Test(session, does_not_judge_prefix_and_scopes)
{
    struct token_claims claims = good_claims();

    snprintf(claims.prefix, sizeof claims.prefix, "shell");
    claims.scopes_count = 0;
    cr_assert(token_claims_add_scope(&claims, "foo"));
    ask_with_claims(&office, "/session/t0", &claims);
    granted_code(&office);
    cr_assert_not_null(strstr(office.reply.body, RELAY "/shell/t0?code="));
}

Test(session, wants_a_booking_unless_told_otherwise)
{
    struct token_claims claims = good_claims();

    claims.booking_id[0] = '\0';
    expect_refusal("/session/t0", &claims, 400,
                   "{\"code\":\"400\",\"message\":\"empty bookingID field is not permitted\"}\n");
    office.context.allow_no_booking_id = true;
    ask_with_claims(&office, "/session/t0", &claims);
    granted_code(&office);
}

Test(session, code_stands_for_what_the_token_allows)
{
    struct token_claims claims = good_claims();
    struct permission permission;

    claims.scopes_count = 0;
    cr_assert(token_claims_add_scope(&claims, "read"));
    ask_with_claims(&office, "/session/t0", &claims);
    cr_assert_eq(code_store_take(office.context.codes, granted_code(&office), NOW_MS, &permission),
                 0);
    cr_assert_str_eq(permission.topic, "t0");
    cr_assert_str_eq(permission.booking_id, "bid0");
    cr_assert_eq(permission.exp_s, claims.exp_s);
    cr_assert_eq(permission.nbf_s, claims.nbf_s);
    cr_assert(permission.can_read);
    cr_assert(!permission.can_write);
}

Test(session, codes_are_different_each_time)
{
    struct token_claims claims = good_claims();
    char codes[CODES_MAX / CODES_SHARES][CODE_SIZE];

    for (unsigned i = 0; i < ARRAY_LENGTH(codes); i++) {
        ask_with_claims(&office, "/session/t0", &claims);
        cr_assert_eq(bytes_to_text(granted_code(&office), codes[i], CODE_SIZE), 0);
        for (unsigned j = 0; j < i; j++) {
            cr_assert_str_neq(codes[i], codes[j]);
        }
    }
}

Test(session, says_so_when_too_many_codes_wait)
{
    struct token_claims claims = good_claims();

    /* Each for another booking: one alone has a share only. */
    for (unsigned i = 0; i < CODES_MAX; i++) {
        snprintf(claims.booking_id, sizeof claims.booking_id, "bid%u", i);
        ask_with_claims(&office, "/session/t0", &claims);
        cr_assert_eq(office.reply.status, 200);
    }
    snprintf(claims.booking_id, sizeof claims.booking_id, "one more");
    ask_with_claims(&office, "/session/t0", &claims);
    expect_reply(&office, 503,
                 "{\"code\":\"503\",\"message\":\"too many unused codes, try again later\"}\n");
    /* RFC 9110 §10.2.3: whole seconds. The first code has all of its time before it. */
    cr_assert_not_null(strstr(office.reply.fields, "Retry-After: 30\r\n"));
    cr_assert_null(strstr(office.reply.fields, "Expose"));
    cr_assert_eq(office.counters.codes_refused_full, 1);
    cr_assert_eq(office.alarms.limits[ALARM_CODES].lines, 1);
    cr_assert_eq(office.counters.sessions_granted, CODES_MAX);
}

Test(session, gives_no_code_to_a_booking_whose_places_are_taken)
{
    struct token_claims claims = good_claims();
    struct permission permission;
    unsigned taken = 0;

    permission_from_claims(&permission, &claims);
    while (places_take(office.context.places, &permission) == 0) {
        taken++;
    }
    ask_with_claims(&office, "/session/t0", &claims);
    expect_reply(&office, 503,
                 "{\"code\":\"503\",\"message\":\"too many connections, of all or of this "
                 "booking; try again later\"}\n");
    cr_assert_not_null(strstr(office.reply.fields, "Retry-After: 5\r\n"));
    cr_assert_eq(office.counters.places_refused, 1);
    cr_assert_eq(office.alarms.limits[ALARM_PLACES].lines, 1);
    cr_assert_eq(code_store_count(office.context.codes), 0);
    snprintf(claims.booking_id, sizeof claims.booking_id, "another");
    ask_with_claims(&office, "/session/t0", &claims);
    cr_assert_eq(office.reply.status, 200);
    for (unsigned i = 0; i < taken; i++) {
        places_give(office.context.places, permission.booking_id, permission.topic);
    }
}

Test(session, shows_pages_of_other_origins_when_to_come_again)
{
    struct token_claims claims = good_claims();

    office.context.cors_origins = "https://a.example";
    for (unsigned i = 0; i <= CODES_MAX / CODES_SHARES; i++) {
        char *token = token_of_claims(&office, &claims);

        ask(&office, "POST", "/session/t0", token, "Origin: https://a.example\r\n", NULL);
        free(token);
    }
    cr_assert_eq(office.reply.status, 503);
    cr_assert_not_null(
        strstr(office.reply.fields, "Access-Control-Expose-Headers: Retry-After\r\n"));
}
