/* Goal: the page is there only where the operator wants it, and may load and reach this relay
 * alone. The hashes of its policy are compared with the page by tests/browser/test_built.py. */
#include "embedded/watch_page.h"
#include "tests/unit/server/access/access_fixture.h"

static struct office office;

static void open_office(void)
{
    office_open(&office);
    office.context.watch_page = true;
}

static void close_office(void)
{
    free(office.reply.long_body);
    office_close(&office);
}

TestSuite(watch, .init = open_office, .fini = close_office);

static void ask_for_page(const char *method, const char *fields)
{
    ask(&office, method, "/watch", NULL, fields, NULL);
}

static const char *policy(void)
{
    const char *found = strstr(office.reply.fields, "Content-Security-Policy: ");

    cr_assert_not_null(found, "%s", office.reply.fields);
    return found;
}

Test(watch, the_page_is_the_embedded_one)
{
    ask_for_page("GET", "Accept: text/html\r\n");
    cr_assert_eq(office.reply.status, 200);
    cr_expect_str_eq(office.reply.content_type, "text/html; charset=utf-8");
    cr_assert_eq(office.reply.body_len, sizeof watch_page);
    cr_expect_arr_eq(office.reply.long_body, watch_page, sizeof watch_page);
}

Test(watch, the_page_may_reach_this_relay_and_nothing_else)
{
    ask_for_page("GET", "");
    cr_expect_eq(
        strncmp(policy(), "Content-Security-Policy: default-src 'none'; script-src 'sha256-", 64),
        0);
    cr_expect_not_null(strstr(policy(), "; style-src 'sha256-"));
    cr_expect_not_null(strstr(policy(), "; connect-src 'self' wss://app.example.org; "));
    cr_expect_null(strstr(policy(), "unsafe"));
    cr_expect_not_null(strstr(office.reply.fields, "Referrer-Policy: no-referrer\r\n"));
}

Test(watch, a_url_of_any_length_leaves_room_for_the_other_fields)
{
    char url[600] = "wss://";

    memset(url + 6, 'a', 500);
    office.context.url = url;
    office.context.cors_origins = "*";
    ask_for_page("GET", "Origin: https://elsewhere.example\r\n");
    cr_assert_eq(office.reply.status, 200);
    cr_expect_not_null(strstr(policy(), "; connect-src 'self' ws: wss:; "));
    cr_expect_null(strstr(office.reply.fields, "Access-Control"));
}

Test(watch, the_longest_origin_that_is_named_fits)
{
    char url[200] = "wss://";

    memset(url + 6, 'a', 128 - 6);
    memcpy(url + 128, "/relay", sizeof "/relay");
    office.context.url = url;
    ask_for_page("HEAD", "");
    cr_assert_eq(office.reply.status, 200);
    cr_expect_not_null(strstr(policy(), "aaa; img-src"));
}

Test(watch, without_the_option_there_is_no_such_path)
{
    static const char *const methods[] = {"GET", "HEAD", "POST"};

    office.context.watch_page = false;
    for (size_t i = 0; i < ARRAY_LENGTH(methods); i++) {
        ask_for_page(methods[i], "");
        cr_expect_eq(office.reply.status, 404, "%s", methods[i]);
        cr_expect_null(strstr(office.reply.fields, "Allow"));
    }
}
