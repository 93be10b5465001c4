/* Goal: keys, signals and an outage change what is drawn, and the end leaves the terminal. Method:
 * a terminal of the test that types what the next step wants whenever a picture was drawn; the
 * test's listener. */
#include "cli/top/session.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <signal.h>

#include "cli/top/admin/rates.h"
#include "cli/top/terminal.h"
#include "tests/unit/cli/top/fake_admin.h"

/* What a picture must have before the next keys are typed. */
struct step {
    const char *awaited, *typed;
    int signal_number; /* of the terminal: raised after the keys */
};

static const struct step *steps;
static unsigned columns = 100, entered, left;
static int keyboard[2];

bool terminal_open(struct terminal *terminal)
{
    terminal_enter_again(terminal);
    return steps != NULL;
}

void terminal_enter_again(struct terminal *terminal)
{
    terminal->is_entered = true;
    entered++;
}

void terminal_close(struct terminal *terminal)
{
    left += terminal->is_entered ? 1 : 0;
    terminal->is_entered = false;
}

void terminal_size(unsigned *ret_columns, unsigned *ret_lines)
{
    *ret_columns = columns;
    *ret_lines = 10;
}

bool terminal_write(const char *text, size_t len)
{
    if (strstr(text, steps->awaited) == NULL) {
        return true;
    }
    const struct step *step = steps++;

    cr_assert_eq(write(keyboard[1], step->typed, strlen(step->typed)),
                 (ssize_t)strlen(step->typed));
    if (step->signal_number == SIGUSR1) { /* stands for an outage */
        fake_admin_close();
    } else if (step->signal_number != 0) {
        columns = 20;
        raise(step->signal_number);
    }
    return steps[-1].awaited[0] != '\0';
}

static void start(void)
{
    fake_admin_open();
    cr_assert_eq(pipe(keyboard), 0);
    cr_assert_eq(dup2(keyboard[0], STDIN_FILENO), STDIN_FILENO);
}

TestSuite(session, .init = start, .fini = fake_admin_close);

static int run(const struct step *list)
{
    const struct top_settings settings = {.interval_ms = 200, .sort = SORT_OUT};

    steps = list;
    return session_run(&settings, &fake_admin.address);
}

Test(session, draws_rates_and_obeys_keys)
{
    static const struct step list[] = {
        {"nothing seen yet", "", 0},
        {"out 16k bit/s", "v", 0},
        {"by viewers", "r", 0},
        {"by viewers, reversed", "c", 0},
        {"192.0.2.1", " ", 0},
        {"paused", "t \033[B\033[6~\033[F\033[H\033[A\033[5~", 0},
        {"1-1 of 1 by viewers, reversed  q quit  c connections", "q", 0},
        {"never drawn", "", 0},
    };

    cr_assert_eq(run(list), 0);
    cr_assert_eq(steps, &list[7]);
    cr_assert(entered == 1 && left == 1);
}

Test(session, says_when_the_relay_is_gone)
{
    static const struct step list[] = {
        {"out 16k bit/s", "", SIGUSR1},
        {"no answer for 0ms: Connection refused", "q", 0},
        {"never drawn", "", 0},
    };

    cr_assert_eq(run(list), 0);
    cr_assert_eq(steps, &list[2]);
}

Test(session, follows_the_size_and_ends_by_a_signal)
{
    static const struct step list[] = {
        {"1 topics", "", SIGWINCH},
        {"window too small", "", SIGTERM},
        {"never drawn", "", 0},
    };

    cr_assert_eq(run(list), 0);
    cr_assert_eq(steps, &list[2]);
    cr_assert(entered == 1 && left == 1);
}

Test(session, enters_the_terminal_again_after_a_stop)
{
    static const struct step list[] = {
        {"1 topics", "", SIGCONT},
        {"window too small", "Q", 0},
        {"never drawn", "", 0},
    };

    cr_assert_eq(run(list), 0);
    cr_assert(entered == 2 && left == 1);
}

Test(session, ends_when_nothing_can_be_typed_any_more)
{
    static const struct step list[] = {{"never drawn", "", 0}};

    close(keyboard[1]);
    cr_assert_eq(run(list), 0);
    cr_assert_eq(left, 1);
}

Test(session, wants_a_terminal)
{
    cr_redirect_stderr();
    cr_assert_eq(run(NULL), 1);
    fflush(stderr);
    cr_assert_stderr_eq_str("relay top: standard input and output are no terminal; use --once or "
                            "--json\n");
}
