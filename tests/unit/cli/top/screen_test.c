/* Goal: a picture fills the terminal and never more, and says what is the matter. Method: whole
 * pictures, without the sequences that only colour. */
#include "cli/top/screen.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { TOPICS = 50 };

static struct snapshot_topic topics[TOPICS];
static struct rate_row rows[TOPICS];
static struct admin_address address = {.text = "127.0.0.1:3002"};
static struct sampler sampler = {
    .address = &address,
    .state = "ready",
    .now = {.version = "1.2.3",
            .started_s = 1000,
            .connections = 4,
            .websockets = 3,
            .workers = 2,
            .count = TOPICS,
            .topics = topics},
    .rates = {.rows = rows, .count = TOPICS, .known = true, .bytes_in = 1000, .bytes_out = 2e6}};
static struct screen screen = {
    .sampler = &sampler, .columns = 80, .lines = 10, .sort = SORT_OUT, .wall_s = 1090};

static void start(void)
{
    for (unsigned i = 0; i < TOPICS; i++) {
        snprintf(topics[i].name, sizeof topics[i].name, "topic %u", i);
        rows[i].topic = &topics[i];
    }
}

TestSuite(screen, .init = start);

/* Lines, each with a line end, without colours and the places of the cursor. */
static const char *drawn(void)
{
    static char text[65536];
    char *raw;
    size_t len, used = 0;
    FILE *out = open_memstream(&raw, &len);

    screen_draw(&screen, out);
    fclose(out);
    for (const char *c = raw; *c != '\0'; c++) {
        if (*c == '\033') {
            c += strcspn(c, "HJKhlm");
        } else if (*c != '\r') {
            text[used++] = *c;
        }
    }
    text[used] = '\0';
    free(raw);
    return text;
}

static unsigned lines_of(const char *text)
{
    unsigned count = 1;

    for (; *text != '\0'; text++) {
        count += *text == '\n';
    }
    return count;
}

#define expect_drawn(part) cr_expect_not_null(strstr(drawn(), part), "%s", drawn())

Test(screen, has_the_relay_the_sums_and_the_rows)
{
    static const char head[] =
        "relay 1.2.3  ready  up 90s  3 WebSockets  4 connections  2 workers\n"
        "50 topics  in 8.0k bit/s  out 16M bit/s  0 messages/s  lost 0/s\n\nTOPIC ";
    const char *text = drawn();

    cr_assert_eq(strncmp(text, head, strlen(head)), 0, "%s", text);
    cr_expect_eq(lines_of(text), 10);
    cr_expect_not_null(strstr(text, "\ntopic 4 "));
    cr_expect_null(strstr(text, "topic 5 "));
    expect_drawn("1-5 of 50 by out  q quit");
    screen.first = 45;
    screen.reverse = true;
    expect_drawn("\ntopic 49 ");
    expect_drawn("46-50 of 50 by out, reversed");
}

Test(screen, never_exceeds_the_terminal)
{
    for (screen.columns = 1; screen.columns < 130; screen.columns++) {
        for (screen.lines = 1; screen.lines < 12; screen.lines++) {
            const char *text = drawn();
            bool fits = screen.columns >= SCREEN_COLUMNS_MIN && screen.lines >= SCREEN_LINES_MIN;

            cr_assert_eq(lines_of(text), fits ? screen.lines : 1);
            for (; *text != '\0'; text += strcspn(text, "\n") + (strchr(text, '\n') != NULL)) {
                cr_assert_leq(strcspn(text, "\n"), screen.columns, "%s", text);
            }
        }
    }
}

Test(screen, says_that_the_window_is_too_small)
{
    screen.columns = SCREEN_COLUMNS_MIN - 1;
    cr_expect_str_eq(drawn(), "window too small");
    screen.columns = 8;
    cr_expect_str_eq(drawn(), "window >");
}

Test(screen, says_since_when_there_is_no_answer)
{
    screen.fault = "Connection refused";
    screen.fault_s = 1060;
    expect_drawn("\nno answer for 30s: Connection refused\n");
    expect_drawn("topic 0"); /* what was seen last */
    sampler.now.started_s = 0;
    expect_drawn("relay: nothing seen yet of 127.0.0.1:3002\n");
}

Test(screen, says_that_it_is_paused_and_what_is_not_known_yet)
{
    screen.paused = true;
    sampler.rates.known = false;
    expect_drawn("\n50 topics\npaused\n");
}

Test(screen, shows_connections_instead)
{
    struct connection_row row = {
        .topic = (char[]){"lab"}, .address = (char[]){"192.0.2.1"}, .agent = (char[]){""}};

    sampler.connections = (struct connections){.rows = &row, .count = 1};
    screen.connections = true;
    cr_expect_eq(screen_rows(&screen), 1);
    cr_expect_eq(screen_rows_shown(&screen), 5);
    expect_drawn("\nlab ");
    expect_drawn("1-1 of 1 by name  q quit  c topics");
    expect_drawn(" 192.0.2.1             - ");
}
