/* Goal: scripts get one table or one line of JSON with rates, or one line of what is wrong.
 * Method: the test's listener; whole output compared. */
#include "cli/top/report.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>

#include "cli/top/admin/rates.h"
#include "tests/unit/cli/top/fake_admin.h"

static void start(void)
{
    fake_admin_open();
    cr_redirect_stdout();
    cr_redirect_stderr();
}

TestSuite(report, .init = start, .fini = fake_admin_close);

static int run(struct top_settings settings)
{
    settings.interval_ms = 10;
    settings.once = true;
    int status = report_run(&settings, &fake_admin.address);

    fflush(stdout);
    fflush(stderr);
    return status;
}

Test(report, prints_a_table_with_rates)
{
    cr_assert_eq(run((struct top_settings){.sort = SORT_OUT}), 0);
    cr_assert_stdout_eq_str(
        "TOPIC                                         PUB  VIEW   AGE IN BIT/S OUT BIT/S MSG/S   "
        "LOST LOST/S\n"
        "lab                                             1     2  40ms     8.0k       16k    10   "
        "   3    1.0\n");
}

Test(report, prints_json)
{
    cr_assert_eq(run((struct top_settings){.json = true}), 0);
    cr_assert_stdout_eq_str(
        "{\"version\":\"1.2.3\",\"state\":\"ready\",\"started_s\":1000,\"websockets\":3,"
        "\"connections\":4,\"workers\":2,\"topics\":[{\"topic\":\"lab\",\"publishers\":1,"
        "\"viewers\":2,\"age_ms\":40,\"bits_received_per_s\":8000.0,\"bits_sent_per_s\":16000.0,"
        "\"messages_received_per_s\":10.0,\"lost\":3,\"lost_per_s\":1.0}]}\n");
}

Test(report, prints_connections)
{
    cr_assert_eq(run((struct top_settings){.json = true, .connections = true}), 0);
    cr_assert_stdout_eq_str(
        "{\"version\":\"1.2.3\",\"state\":\"ready\",\"started_s\":1000,\"websockets\":3,"
        "\"connections\":4,\"workers\":2,\"connection_list\":[{\"topic\":\"lab\","
        "\"remote_addr\":\"192.0.2.1\",\"user_agent\":\"ua/1\",\"can_read\":true,"
        "\"can_write\":false,\"connected_at\":1795425679,\"expires_at\":0,\"lost\":0}]}\n");
}

Test(report, a_name_cannot_steer_the_terminal)
{
    fake_admin.name = "\\u001b[2J\\u007f\\u009b";
    cr_assert_eq(run((struct top_settings){.sort = SORT_OUT}), 0);
    cr_assert_stdout_eq_str(
        "TOPIC                                         PUB  VIEW   AGE IN BIT/S OUT BIT/S MSG/S   "
        "LOST LOST/S\n"
        "\\u001b[2J\\u007f\\u009b                           1     2  40ms     8.0k       16k    10 "
        " "
        " "
        "   3    1.0\n");
}

Test(report, one_line_says_why_there_is_none)
{
    char expected[256];

    fake_admin_close();
    cr_assert_eq(run((struct top_settings){.json = true}), 1);
    snprintf(expected, sizeof expected, "relay top: no answer of %s: Connection refused\n",
             fake_admin.address.text);
    cr_assert_stderr_eq_str(expected);
}
