/* Goal: only who may see the connections makes the server gather them.
 * Method: requests with claims that lack one thing at a time. */
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

TestSuite(status, .init = open_office, .fini = close_office);

static void ask_status(const char *scope)
{
    struct token_claims claims = good_claims();

    claims.scopes_count = 0;
    cr_assert(token_claims_add_scope(&claims, scope));
    char *token = token_of_claims(&office, &claims);

    ask(&office, "GET", "/status", token, "", NULL);
    free(token);
}

Test(status, is_gathered_for_the_scope_of_statistics)
{
    ask_status("relay:stats");
    cr_assert_eq(office.reply.status, 200);
    cr_assert_eq(office.reply.action, ACCESS_ACTION_STATUS);
    cr_assert_null(office.reply.long_body);
}

Test(status, is_refused_to_all_others)
{
    static const char *const scopes[] = {"relay:admin", "read",         "write",
                                         "relay:stat",  "relay:stats ", "RELAY:STATS"};

    for (size_t i = 0; i < ARRAY_LENGTH(scopes); i++) {
        ask_status(scopes[i]);
        expect_reply(&office, 401,
                     "{\"code\":\"401\",\"message\":\"token missing relay:stats scope\"}\n");
        cr_assert_eq(office.reply.action, ACCESS_ACTION_NONE);
    }
}

Test(status, wants_a_token_and_its_method)
{
    ask(&office, "GET", "/status", NULL, "", NULL);
    expect_reply(&office, 401,
                 "{\"code\":401,\"message\":\"unauthenticated for invalid credentials\"}");
    cr_assert_eq(office.reply.action, ACCESS_ACTION_NONE);
    ask(&office, "POST", "/status", NULL, "", NULL);
    cr_assert_eq(office.reply.status, 405);
    cr_assert_eq(office.reply.action, ACCESS_ACTION_NONE);
}
