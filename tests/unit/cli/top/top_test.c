/* Goal: relay top takes its options to where they belong. Method: the command in this process; what
 * looks at a relay is the test's. */
#include "cli/command.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "cli/option_tables.h"
#include "cli/top/admin/rates.h"
#include "cli/top/report.h"
#include "cli/top/session.h"

static const char *asked = "nothing";
static struct top_settings seen; /* its texts are gone when the command has returned */
static struct admin_address where;

static int note(const char *name, const struct top_settings *settings,
                const struct admin_address *address)
{
    asked = name;
    seen = *settings;
    where = *address;
    return 5;
}

int session_run(const struct top_settings *settings, const struct admin_address *address)
{
    return note("session", settings, address);
}

int report_run(const struct top_settings *settings, const struct admin_address *address)
{
    return note("report", settings, address);
}

static void start(void)
{
    for (size_t i = 0; i < top_option_table.specs_count; i++) {
        unsetenv(top_option_table.specs[i].env);
    }
    cr_redirect_stdout();
    cr_redirect_stderr();
}

TestSuite(cli_top, .init = start);

static int run(const char *flag, const char *other)
{
    char texts[2][64], *argv[] = {(char[]){"top"}, texts[0], texts[1], NULL};

    snprintf(texts[0], sizeof texts[0], "%s", flag == NULL ? "" : flag);
    snprintf(texts[1], sizeof texts[1], "%s", other == NULL ? "" : other);
    return command_top(flag == NULL ? 1 : other == NULL ? 2 : 3, argv);
}

Test(cli_top, shows_a_session_by_default)
{
    cr_assert_eq(run(NULL, NULL), 5);
    cr_assert_str_eq(asked, "session");
    cr_assert_str_eq(where.text, "127.0.0.1:3002");
    cr_assert(seen.interval_ms == 2000 && seen.sort == SORT_OUT);
    cr_assert_not(seen.reverse || seen.connections || seen.once || seen.json);
}

Test(cli_top, takes_the_listener_of_the_relays_own_variable)
{
    setenv("RELAY_ADMIN_LISTEN", "/run/relay/admin.sock", 1);
    cr_assert_eq(run("--sort=age", "--reverse"), 5);
    cr_assert_str_eq(where.text, "/run/relay/admin.sock");
    cr_assert(seen.sort == SORT_AGE && seen.reverse);
}

Test(cli_top, reports_to_scripts)
{
    cr_assert_eq(run("--once", NULL), 5);
    cr_assert_str_eq(asked, "report");
    cr_assert_eq(run("--json", "--interval=500ms"), 5);
    cr_assert(seen.json && !seen.once && seen.interval_ms == 500);
}

Test(cli_top, refuses_what_leads_nowhere)
{
    cr_assert_eq(run("--admin-listen=off", NULL), 1);
    cr_assert_eq(run("--sort=height", NULL), 1);
    cr_assert_eq(run("--interval=1ms", NULL), 1);
    cr_assert_str_eq(asked, "nothing");
}
