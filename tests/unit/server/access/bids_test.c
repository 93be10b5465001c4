/* Goal: /bids/deny and /bids/allow answer as booking servers know them, and change the lists only
 * when they say so.
 * Method: requests with an administrator's token, spoilt one thing at a time; bodies byte for byte.
 */
#include "tests/unit/server/access/access_fixture.h"

static struct office office;
static char *admin;

static char *token_with_scope(const char *scope)
{
    struct token_claims claims = good_claims();

    claims.scopes_count = 0;
    cr_assert(token_claims_add_scope(&claims, scope));
    return token_of_claims(&office, &claims);
}

static void open_office(void)
{
    office_open(&office);
    admin = token_with_scope("relay:admin");
}

static void close_office(void)
{
    free(admin);
    office_close(&office);
}

TestSuite(bids, .init = open_office, .fini = close_office);

/* list: deny or allow. */
static void change(const char *list, const char *query)
{
    char target[1024];

    snprintf(target, sizeof target, "/bids/%s%s", list, query);
    ask(&office, "POST", target, admin, "", NULL);
}

static void expect_list(const char *list, const char *body)
{
    char target[32];

    snprintf(target, sizeof target, "/bids/%s", list);
    ask(&office, "GET", target, admin, "", NULL);
    cr_assert_eq(office.reply.status, 200);
    cr_assert_str_eq(office.reply.content_type, "application/json");
    cr_assert_not_null(office.reply.long_body);
    cr_assert_eq(office.reply.body_len, strlen(body));
    cr_assert_arr_eq(office.reply.long_body, body, strlen(body));
    free(office.reply.long_body);
}

static void expect_done(enum access_action action, const char *booking_id, int64_t exp_s)
{
    cr_assert_eq(office.reply.status, 204, "%s", office.reply.body);
    cr_assert_null(office.reply.content_type);
    cr_assert_eq(office.reply.body_len, 0);
    cr_assert_eq(office.reply.action, action);
    cr_assert_str_eq(office.reply.booking_id, booking_id);
    cr_assert_eq(office.reply.exp_s, exp_s);
}

static void expect_nothing_changed(void)
{
    cr_assert_eq(office.reply.action, ACCESS_ACTION_NONE);
    expect_list("deny", "{\"booking_ids\":[]}\n");
    expect_list("allow", "{\"booking_ids\":[]}\n");
}

Test(bids, are_denied_and_allowed_again)
{
    change("deny", "?bid=b0&exp=1700000060");
    expect_done(ACCESS_ACTION_DENY, "b0", 1700000060);
    expect_list("deny", "{\"booking_ids\":[\"b0\"]}\n");
    expect_list("allow", "{\"booking_ids\":[]}\n");
    change("allow", "?bid=b0&exp=1700000060");
    expect_done(ACCESS_ACTION_ALLOW, "b0", 1700000060);
    expect_list("deny", "{\"booking_ids\":[]}\n");
    expect_list("allow", "{\"booking_ids\":[\"b0\"]}\n");
}

Test(bids, that_are_granted_are_listed_as_allowed)
{
    struct token_claims claims = good_claims();

    ask_with_claims(&office, "/session/t0", &claims);
    cr_assert_eq(office.reply.status, 200);
    cr_assert_eq(office.reply.action, ACCESS_ACTION_NOTE);
    cr_assert_str_eq(office.reply.booking_id, "bid0");
    cr_assert_eq(office.reply.exp_s, NOW_S + 60);
    expect_list("allow", "{\"booking_ids\":[\"bid0\"]}\n");
}

Test(bids, that_are_denied_get_no_session)
{
    struct token_claims claims = good_claims();

    change("deny", "?bid=bid0&exp=1700000060");
    ask_with_claims(&office, "/session/t0", &claims);
    expect_reply(&office, 400,
                 "{\"code\":\"400\",\"message\":\"bookingID has been deny-listed, probably because "
                 "the session was cancelled\"}\n");
    cr_assert_eq(office.reply.action, ACCESS_ACTION_NONE);
    cr_assert_eq(code_store_count(office.context.codes), 0);
    expect_list("deny", "{\"booking_ids\":[\"bid0\"]}\n");
    change("allow", "?bid=bid0&exp=1700000060");
    ask_with_claims(&office, "/session/t0", &claims);
    cr_assert_eq(office.reply.status, 200);
}

Test(bids, take_the_last_of_repeated_parameters_and_any_text)
{
    change("deny", "?bid=a&exp=1&bid=b%22%20%3C%c3%a9&exp=1700000001&x=y");
    expect_done(ACCESS_ACTION_DENY, "b\" <\xc3\xa9", 1700000001);
    expect_list("deny", "{\"booking_ids\":[\"b\\\" <\xc3\xa9\"]}\n");
}

Test(bids, want_their_parameters)
{
    static const struct {
        const char *query;
        const char *body;
    } cases[] = {
        {"", "{\"code\":602,\"message\":\"bid in query is required\"}"},
        {"?exp=1700000060", "{\"code\":602,\"message\":\"bid in query is required\"}"},
        {"?bid=&exp=1700000060", "{\"code\":602,\"message\":\"bid in query is required\"}"},
        {"?Bid=a&exp=1700000060", "{\"code\":602,\"message\":\"bid in query is required\"}"},
        {"?bid=%00&exp=1700000060", "{\"code\":602,\"message\":\"bid in query is required\"}"},
        {"?bid=a", "{\"code\":602,\"message\":\"exp in query is required\"}"},
        {"?bid=a&exp=", "{\"code\":602,\"message\":\"exp in query is required\"}"},
        {"?bid=a&exp=5&exp=", "{\"code\":602,\"message\":\"exp in query is required\"}"},
        {"?bid=a&exp=abc",
         "{\"code\":601,\"message\":\"exp in query must be of type int64: \\\"abc\\\"\"}"},
        {"?bid=a&exp=1e9",
         "{\"code\":601,\"message\":\"exp in query must be of type int64: \\\"1e9\\\"\"}"},
        {"?bid=a&exp=17000000600x",
         "{\"code\":601,\"message\":\"exp in query must be of type int64: \\\"17000000600x\\\"\"}"},
        {"?bid=a&exp=+5",
         "{\"code\":601,\"message\":\"exp in query must be of type int64: \\\" 5\\\"\"}"},
        {"?bid=a&exp=9223372036854775808",
         "{\"code\":601,\"message\":\"exp in query must be of type int64: "
         "\\\"9223372036854775808\\\"\"}"},
        {"?bid=a&exp=%3C%26%3E", "{\"code\":601,\"message\":\"exp in query must be of type int64: "
                                 "\\\"\\u003c\\u0026\\u003e\\\"\"}"},
    };
    static const char *const lists[] = {"deny", "allow"};

    for (size_t i = 0; i < ARRAY_LENGTH(cases) * ARRAY_LENGTH(lists); i++) {
        change(lists[i % ARRAY_LENGTH(lists)], cases[i / ARRAY_LENGTH(lists)].query);
        expect_reply(&office, 422, cases[i / ARRAY_LENGTH(lists)].body);
        cr_assert_eq(office.reply.action, ACCESS_ACTION_NONE);
    }
    expect_nothing_changed();
}

Test(bids, refuse_parameters_that_are_too_long)
{
    char long_text[TOKEN_TEXT_SIZE + 200];
    char query[TOKEN_TEXT_SIZE + 300];

    memset(long_text, '1', sizeof long_text);
    long_text[sizeof long_text - 1] = '\0';
    snprintf(query, sizeof query, "?bid=%s&exp=1700000060", long_text);
    change("deny", query);
    expect_reply(&office, 422, "{\"code\":601,\"message\":\"bid in query is too long\"}");
    snprintf(query, sizeof query, "?bid=a&exp=%s", long_text);
    change("deny", query);
    expect_reply(&office, 422,
                 "{\"code\":601,\"message\":\"exp in query must be of type int64: \\\"\\\"\"}");
    expect_nothing_changed();
}

Test(bids, want_a_time_that_has_not_passed)
{
    change("deny", "?bid=a&exp=1699999999");
    expect_reply(
        &office, 400,
        "{\"code\":\"400\",\"message\":\"booking expiry time (exp) of [1699999999] missing "
        "or in the past\"}\n");
    change("allow", "?bid=a&exp=-5");
    expect_reply(&office, 400,
                 "{\"code\":\"400\",\"message\":\"exp (booking expiry time) missing or in the "
                 "past\"}\n");
    expect_nothing_changed();
    change("deny", "?bid=a&exp=1700000000");
    expect_done(ACCESS_ACTION_DENY, "a", NOW_S);
    change("allow", "?bid=a&exp=9223372036854775807");
    expect_done(ACCESS_ACTION_ALLOW, "a", INT64_MAX);
}

Test(bids, are_for_administrators)
{
    static const struct {
        const char *method, *target, *body;
    } cases[] = {
        {"POST", "/bids/deny?bid=a&exp=1700000060",
         "{\"code\":\"401\",\"message\":\"is token missing relay:admin scope? missing relay:admin "
         "Scope\"}\n"},
        {"POST", "/bids/allow?bid=a&exp=1700000060",
         "{\"code\":\"401\",\"message\":\"token missing relay:admin scope\"}\n"},
        {"GET", "/bids/deny",
         "{\"code\":\"401\",\"message\":\"token missing relay:admin scope\"}\n"},
        {"GET", "/bids/allow",
         "{\"code\":\"401\",\"message\":\"token missing relay:admin scope\"}\n"},
    };
    char *other = token_with_scope("relay:stats");

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        ask(&office, cases[i].method, cases[i].target, other, "", NULL);
        expect_reply(&office, 401, cases[i].body);
        ask(&office, cases[i].method, cases[i].target, NULL, "", NULL);
        expect_reply(&office, 401,
                     "{\"code\":401,\"message\":\"unauthenticated for invalid credentials\"}");
    }
    free(other);
    expect_nothing_changed();
}

Test(bids, beyond_the_bound_are_refused_but_cut)
{
    char query[64];

    for (unsigned i = 0; i < BOOKINGS_MAX; i++) {
        snprintf(query, sizeof query, "?bid=full%u&exp=1700000060", i);
        change("deny", query);
        cr_assert_eq(office.reply.status, 204);
    }
    change("deny", "?bid=more&exp=1700000060");
    cr_assert_eq(office.reply.action, ACCESS_ACTION_DENY, "its connections are cut");
    expect_reply(&office, 503,
                 "{\"code\":\"503\",\"message\":\"too many denied bookings: connections were cut, "
                 "but the booking is not remembered\"}\n");
    cr_assert(!bookings_is_denied(office.context.bookings, "more", NOW_S));
    cr_assert_eq(office.counters.denials_refused_full, 1);
    cr_assert_eq(office.alarms.limits[ALARM_BOOKINGS].lines, 1);
}
