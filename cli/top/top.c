/* relay top: what the topics and connections of a relay do right now. This file has the options. */
#include <locale.h>
#include <stddef.h>
#include <stdio.h>

#include "base/attributes.h"
#include "base/options/options.h"
#include "cli/command.h"
#include "cli/option_tables.h"
#include "cli/top/admin/rates.h"
#include "cli/top/report.h"
#include "cli/top/session.h"

static const struct option_choice sort_list[] = {
    {.name = "name", .value = SORT_NAME},
    {.name = "publishers", .value = SORT_PUBLISHERS},
    {.name = "viewers", .value = SORT_VIEWERS},
    {.name = "age", .value = SORT_AGE},
    {.name = "in", .value = SORT_IN},
    {.name = "out", .value = SORT_OUT},
    {.name = "messages", .value = SORT_MESSAGES},
    {.name = "lost", .value = SORT_LOST},
};

static const struct option_choices sort_choices = {.list = sort_list,
                                                   .count = ARRAY_LENGTH(sort_list)};

static const struct option_spec specs[] = {
    {.env = "RELAY_ADMIN_LISTEN",
     .flag = "admin-listen",
     .type = OPTION_TEXT,
     .offset = offsetof(struct top_settings, admin),
     .default_text = "127.0.0.1:3002",
     .help = "The admin listener of the relay, as that has it: address:port, or the path of its "
             "Unix socket."},
    {.env = "RELAY_TOP_INTERVAL",
     .flag = "interval",
     .type = OPTION_DURATION,
     .offset = offsetof(struct top_settings, interval_ms),
     .default_text = "2s",
     .min = 200,
     .max = 3600000,
     .help = "Time between two looks at the relay, over which rates are made."},
    {.env = "RELAY_TOP_SORT",
     .flag = "sort",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct top_settings, sort),
     .default_text = "out",
     .choices = &sort_choices,
     .help = "What the rows are sorted by, the most first, names from a to z. Connections only by "
             "name, age or lost."},
    {.env = "RELAY_TOP_REVERSE",
     .flag = "reverse",
     .type = OPTION_BOOLEAN,
     .offset = offsetof(struct top_settings, reverse),
     .default_text = "false",
     .help = "The other way round."},
    {.env = "RELAY_TOP_CONNECTIONS",
     .flag = "connections",
     .type = OPTION_BOOLEAN,
     .offset = offsetof(struct top_settings, connections),
     .default_text = "false",
     .help = "Show connections instead of topics."},
    {.env = "RELAY_TOP_ONCE",
     .flag = "once",
     .type = OPTION_BOOLEAN,
     .offset = offsetof(struct top_settings, once),
     .default_text = "false",
     .help =
         "Print one table, after one interval, and end: for scripts. Exit status 1: no answer."},
    {.env = "RELAY_TOP_JSON",
     .flag = "json",
     .type = OPTION_BOOLEAN,
     .offset = offsetof(struct top_settings, json),
     .default_text = "false",
     .help = "Print a line of JSON for each interval; with RELAY_TOP_ONCE, one line."},
};

const struct option_table top_option_table = {
    .command = "relay top",
    .summary = "see what topics and connections do right now",
    .synopsis = "Shows what the topics and connections of a relay do right now, from its admin "
                "listener.\n"
                "Keys: q ends, c changes between topics and connections, r reverses, the space bar "
                "pauses;\n"
                "n (name), p, v, a (age), i, o, m and l (lost) sort; arrows, page up and down, "
                "home and end scroll.",
    .specs = specs,
    .specs_count = ARRAY_LENGTH(specs),
};

static int run(const struct top_settings *settings)
{
    struct admin_address address;

    if (!admin_address_parse(settings->admin, &address)) {
        fprintf(stderr,
                "relay top: RELAY_ADMIN_LISTEN must be address:port with a numeric address, "
                "or the path of a socket\n");
        return 1;
    }
    setlocale(LC_CTYPE, "C.UTF-8"); /* for the width of names; without it they lose characters */
    return settings->once || settings->json ? report_run(settings, &address)
                                            : session_run(settings, &address);
}

int command_top(int argc, char **argv)
{
    struct top_settings settings = {0};
    int status = 1;

    if (options_read(&top_option_table, argc, argv, &settings, &status)) {
        status = run(&settings);
    }
    options_release(&top_option_table, &settings);
    return status;
}
