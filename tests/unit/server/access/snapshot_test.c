/* Goal: a picture is fetched only for those who may read the topic, and only of types that they
 * take. Method: requests with claims that lack one thing at a time. */
#include "server/access/snapshot.h"

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

TestSuite(snapshot, .init = open_office, .fini = close_office);

static void ask_as(const struct token_claims *claims, const char *target, const char *fields)
{
    char *token = token_of_claims(&office, claims);

    ask(&office, "GET", target, token, fields, NULL);
    free(token);
}

static void expect_refused(const struct token_claims *claims, const char *target, unsigned status)
{
    ask_as(claims, target, "");
    cr_assert_eq(office.reply.status, status, "%s", office.reply.body);
    cr_assert_eq(office.reply.action, ACCESS_ACTION_NONE);
}

Test(snapshot, is_fetched_for_a_reader_of_the_topic)
{
    struct token_claims claims = good_claims();

    snprintf(claims.topic, sizeof claims.topic, "lab/cam 1");
    ask_as(&claims, "/snapshot/lab%2Fcam%201", "");
    cr_assert_eq(office.reply.status, 200, "%s", office.reply.body);
    cr_assert_eq(office.reply.action, ACCESS_ACTION_SNAPSHOT);
    cr_assert_str_eq(office.reply.topic, "lab/cam 1");
    cr_assert_eq(office.reply.pictures, 7, "without Accept any type will do");
}

Test(snapshot, is_refused_to_all_others)
{
    struct token_claims claims = good_claims();

    expect_refused(&claims, "/snapshot/t1", 401);
    expect_refused(&claims, "/snapshot/%ff%0", 401);
    snprintf(claims.prefix, sizeof claims.prefix, "shell");
    expect_refused(&claims, "/snapshot/t0", 401);
    claims = good_claims();
    claims.scopes_count = 0;
    cr_assert(token_claims_add_scope(&claims, "write"));
    expect_refused(&claims, "/snapshot/t0", 401);
    claims = good_claims();
    claims.booking_id[0] = '\0';
    expect_refused(&claims, "/snapshot/t0", 400);
    claims = good_claims();
    cr_assert_eq(bookings_deny(office.context.bookings, claims.booking_id, NOW_S + 60, NOW_S), 0);
    expect_refused(&claims, "/snapshot/t0", 400);
    ask(&office, "GET", "/snapshot/t0", NULL, "", NULL);
    cr_assert_eq(office.reply.status, 401);
}

Test(snapshot, is_of_the_types_that_accept_allows)
{
    static const struct {
        const char *fields;
        unsigned pictures;
    } cases[] = {
        {"Accept: image/jpeg\r\n", 1u << ACCESS_PICTURE_JPEG},
        {"Accept: IMAGE/*;q=0.5\r\n", 1u << ACCESS_PICTURE_JPEG},
        {"Accept: video/mp2t, image/jpeg\r\n",
         1u << ACCESS_PICTURE_JPEG | 1u << ACCESS_PICTURE_STREAM},
        {"Accept: text/html\r\nAccept: video/*\r\n", 1u << ACCESS_PICTURE_STREAM},
        {"Accept: application/*\r\n", 1u << ACCESS_PICTURE_OTHER},
        {"Accept: application/json\r\n", 0},
        {"Accept: imag/*, image/\r\n", 0},
        {"Accept: */*\r\n", 7},
    };
    struct token_claims claims = good_claims();

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        ask_as(&claims, "/snapshot/t0", cases[i].fields);
        cr_assert_eq(office.reply.action, ACCESS_ACTION_SNAPSHOT);
        cr_assert_eq(office.reply.pictures, cases[i].pictures, "%s", cases[i].fields);
    }
}
