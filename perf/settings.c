#include "perf/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/options/secret_file.h"

enum { ARGUMENTS_MAX = 256 };

#define AT(member) offsetof(struct settings, member)

static const struct option_spec specs[] = {
    {NULL, "scenarios", OPTION_TEXT, AT(scenarios), NULL, false, 0, 0,
     "Scenarios by letter: \"C\", \"A-F\", \"A,E-F\". Default: A-F."},
    {NULL, "topics", OPTION_INTEGER, AT(topics), NULL, false, 1, SCENARIO_TOPICS_MAX,
     "A scenario of your own, instead of letters: topics (1)."},
    {NULL, "viewers", OPTION_INTEGER, AT(viewers), NULL, false, 1, SCENARIO_VIEWERS_MAX,
     "Viewers of each topic (1)."},
    {NULL, "bytes", OPTION_INTEGER, AT(bytes), NULL, false, SCENARIO_BYTES_MIN, SCENARIO_BYTES_MAX,
     "Payload of each message (4096)."},
    {NULL, "rate", OPTION_INTEGER, AT(rate), NULL, false, 1, SCENARIO_RATE_MAX,
     "Messages per second of each topic (100)."},
    {NULL, "idle", OPTION_INTEGER, AT(idle), NULL, false, 1, SCENARIO_VIEWERS_MAX,
     "Instead: N idle connections, spread over --topics topics; reports memory per connection."},
    {NULL, "seconds", OPTION_INTEGER, AT(seconds), "5", false, 1, 3600,
     "Length of the measured window."},
    {NULL, "warmup-ms", OPTION_INTEGER, AT(warmup_ms), "500", false, 0, 60000,
     "Time under load before the window."},
    {NULL, "spawn", OPTION_TEXT, AT(spawn), NULL, false, 0, 0,
     "Measure a spawned relay: starts \"TEXT serve\" on free ports for each run, and ends it."},
    {NULL, "server-log", OPTION_TEXT, AT(server_log), NULL, false, 0, 0,
     "File to append the output of spawned relays to."},
    {NULL, "server-pid", OPTION_TEXT, AT(server_pid), NULL, false, 0, 0,
     "Process id of the running server to account for; several, separated by commas, are summed."},
    {NULL, "access", OPTION_TEXT, AT(access), NULL, false, 0, 0,
     "Measure a running relay: the URL of its access API."},
    {NULL, "connect", OPTION_TEXT, AT(connect), NULL, false, 0, 0,
     "Measure a server without access API: its WebSocket URL; {topic} and {role} are filled in."},
    {NULL, "audience", OPTION_TEXT, AT(audience), NULL, false, 0, 0,
     "Audience of the tokens, if it differs from --access."},
    {"RELAY_SECRET", "secret", OPTION_SECRET, AT(secret), NULL, false, 0, 0,
     "Secret that signs the tokens; prefer the environment or a file to the flag."},
    {"RELAY_SECRET_FILE", "secret-file", OPTION_TEXT, AT(secret_file), NULL, false, 0, 0,
     "File that holds it."},
    {NULL, "floor", OPTION_BOOLEAN, AT(floor), "false", false, 0, 0,
     "Measure the raw floor, a send() loop of the same shape (alone or in addition to a server)."},
    {NULL, "compare", OPTION_INTEGER, AT(compare), NULL, false, 1, 1000,
     "Alternate floor and server, N times (5 without a number); reports medians of the ratios."},
    {NULL, "server-cpu", OPTION_INTEGER, AT(server_cpu), "-2", false, -2, 1023,
     "CPU of the server (--spawn) and of the floor; -1: any; -2: the first usable of two."},
    {NULL, "client-cpu", OPTION_INTEGER, AT(client_cpu), "-2", false, -2, 1023,
     "CPU of the generator; -1: any; -2: the second usable one."},
    {NULL, "workers", OPTION_INTEGER, AT(workers), "1", false, 0, 1024,
     "RELAY_WORKERS of a spawned relay; 0: its own default."},
    {NULL, "tls", OPTION_BOOLEAN, AT(tls), "false", false, 0, 0,
     "Allow https and wss URLs; with --spawn use them (--tls-cert, --tls-key)."},
    {NULL, "plain", OPTION_BOOLEAN, AT(plain), "false", false, 0, 0,
     "With --spawn and --tls: measure the relay without TLS too, in the same rounds."},
    {NULL, "ca-file", OPTION_TEXT, AT(ca_file), NULL, false, 0, 0,
     "Certificates (PEM) to trust, instead of the system's."},
    {NULL, "insecure", OPTION_BOOLEAN, AT(insecure), "false", false, 0, 0,
     "Do not check the server's certificate."},
    {NULL, "tls-cert", OPTION_TEXT, AT(tls_cert), NULL, false, 0, 0,
     "RELAY_TLS_CERT of a spawned relay."},
    {NULL, "tls-key", OPTION_TEXT, AT(tls_key), NULL, false, 0, 0,
     "RELAY_TLS_KEY of a spawned relay."},
    {NULL, "json", OPTION_BOOLEAN, AT(json), "false", false, 0, 0,
     "JSON on standard output; the text goes to standard error."},
    {NULL, "allow-late", OPTION_BOOLEAN, AT(allow_late), "false", false, 0, 0,
     "Exit 0 even if this machine was too slow for valid figures; they are still marked."},
};

static const struct option_table table = {
    .command = "relay-bench",
    .synopsis = "measure a relay's processor time, latency and memory",
    .specs = specs,
    .specs_count = ARRAY_LENGTH(specs),
};

static void print_option(const struct option_spec *spec)
{
    const char *value = spec->type == OPTION_BOOLEAN   ? ""
                        : spec->type == OPTION_INTEGER ? " N"
                                                       : " TEXT";

    printf("  --%s%s\n      %s", spec->flag, value, spec->help);
    if (spec->default_text != NULL && spec->type != OPTION_BOOLEAN) {
        printf(" Default: %s.", spec->default_text);
    }
    if (spec->env != NULL) {
        printf(" Environment: %s.", spec->env);
    }
    printf("\n");
}

static void print_help(void)
{
    printf("relay-bench: measure a relay's processor time, latency and memory\n\n"
           "Usage: relay-bench [--scenarios LIST] [--seconds N] [--floor] [--compare N]\n"
           "                   [--spawn PATH | --access URL | --connect URL] [options]\n\n"
           "Publishers send messages of one size at an even pace through the access step and\n"
           "WebSockets of a relay; viewers check what arrives. The server's processor time is\n"
           "read from the kernel's accounting of its process, before and after the window.\n"
           "--floor measures the least that any server of this shape must do, with the same\n"
           "generator: only ratios to it, of runs that alternate, compare across machines.\n\n"
           "Options:\n");
    for (size_t i = 0; i < ARRAY_LENGTH(specs); i++) {
        print_option(&specs[i]);
    }
    printf("\nScenarios (topics x viewers of each x bytes @ messages per second and topic):\n"
           "  A 1x1x4096@2000    B 1x1x65536@1000   C 20x2x4096@100\n"
           "  D 100x2x4096@25    E 1x100x4096@100   F 1x100x65536@25\n\n"
           "Exit status:\n"
           "  0  measured\n"
           "  1  could not measure: wrong options, refused, server not running\n"
           "  2  measured, but the rate was not kept: the figures are not valid\n"
           "  3  messages were lost, damaged or misdelivered, or connections were cut\n\n"
           "Examples:\n"
           "  relay-bench --compare 5 --spawn build/release/relay\n"
           "  relay-bench --floor --scenarios E --seconds 10\n"
           "  relay-bench --topics 4 --viewers 25 --bytes 1200 --rate 50 --spawn ./relay\n"
           "  RELAY_SECRET=... relay-bench --access http://127.0.0.1:3000 --server-pid 4711\n"
           "  relay-bench --connect 'ws://127.0.0.1:9001/{topic}' --server-pid 4711,4712\n"
           "  relay-bench --idle 1000 --spawn build/release/relay\n"
           "  relay-bench --compare --plain --tls --tls-cert c.pem --tls-key k.pem \\\n"
           "              --ca-file ca.pem --spawn build/release/relay\n");
}

/* "--compare" may be given without a number. argv is copied into arguments, which has room. */
static int arguments_complete(int argc, char **argv, char **arguments)
{
    static char five[] = "5";
    int count = 0;

    for (int i = 0; i < argc; i++) {
        arguments[count++] = argv[i];
        bool has_number = i + 1 < argc && isdigit((unsigned char)argv[i + 1][0]);

        if (strcmp(argv[i], "--compare") == 0 && !has_number) {
            arguments[count++] = five;
        }
    }
    return count;
}

static bool fail(char *error, const char *text)
{
    snprintf(error, OPTIONS_ERROR_SIZE, "%s", text);
    return false;
}

static struct scenario custom_scenario(const struct settings *settings)
{
    struct scenario scenario = {
        .name = "custom",
        .topics = settings->topics > 0 ? (unsigned)settings->topics : 1,
        .viewers = settings->viewers > 0 ? (unsigned)settings->viewers : 1,
        .bytes = settings->bytes > 0 ? (size_t)settings->bytes : 4096,
        .rate = settings->rate > 0 ? (unsigned)settings->rate : 100,
    };

    if (settings->idle > 0) {
        memcpy(scenario.name, "idle", sizeof "idle");
        scenario.viewers = (unsigned)settings->idle / scenario.topics;
        scenario.rate = 0;
    }
    return scenario;
}

static bool scenarios_decide(struct settings *settings, char *error)
{
    bool shaped = settings->topics > 0 || settings->viewers > 0 || settings->bytes > 0 ||
                  settings->rate > 0 || settings->idle > 0;

    if (shaped && settings->scenarios != NULL) {
        return fail(error, "--scenarios excludes --topics, --viewers, --bytes, --rate and --idle");
    }
    if (settings->idle > 0 && (settings->viewers > 0 || settings->rate > 0)) {
        return fail(error, "--idle excludes --viewers and --rate");
    }
    if (!shaped) {
        const char *letters = settings->scenarios != NULL ? settings->scenarios : "A-F";

        return scenario_list_parse(letters, &settings->list) == 0 ||
               fail(error, "--scenarios must be letters from A to F, such as A-F or A,C");
    }
    settings->list.items[0] = custom_scenario(settings);
    settings->list.count = 1;
    if (settings->list.items[0].viewers == 0) {
        return fail(error, "--idle must be at least --topics");
    }
    return true;
}

static bool server_check(const struct settings *settings, char *error)
{
    unsigned servers =
        (settings->spawn != NULL) + (settings->access != NULL) + (settings->connect != NULL);

    if (servers > 1) {
        return fail(error, "--spawn, --access and --connect exclude each other");
    }
    if (servers == 0 && settings->compare > 0) {
        return fail(error, "--compare needs a server: --spawn, --access or --connect");
    }
    if (servers == 0 && !settings->floor) {
        return fail(error, "nothing to measure: --spawn PATH, --access URL, --connect URL or "
                           "--floor; see relay-bench --help");
    }
    if (settings->spawn != NULL && settings->server_pid != NULL) {
        return fail(error, "--spawn knows its process: leave out --server-pid");
    }
    if (settings->access != NULL && settings->secret == NULL) {
        return fail(error, "--access needs RELAY_SECRET or RELAY_SECRET_FILE");
    }
    if ((settings->tls_cert == NULL) != (settings->tls_key == NULL)) {
        return fail(error, "--tls-cert and --tls-key belong together");
    }
    if (settings->spawn != NULL && settings->tls != (settings->tls_cert != NULL)) {
        return fail(error, "--spawn with TLS needs all of --tls, --tls-cert and --tls-key");
    }
    if (settings->plain && (settings->spawn == NULL || !settings->tls)) {
        return fail(error, "--plain is for --spawn with --tls: without --tls everything is plain");
    }
    return true;
}

static bool secret_load(struct settings *settings, char *error)
{
    if (settings->secret != NULL || settings->secret_file == NULL ||
        settings->secret_file[0] == '\0') {
        return true;
    }
    int failed = secret_file_read_one(settings->secret_file, &settings->secret);

    if (failed != 0) {
        snprintf(error, OPTIONS_ERROR_SIZE, "cannot read %s: %s", settings->secret_file,
                 secret_file_reason(failed));
    }
    return failed == 0;
}

static void cpus_choose(struct settings *settings)
{
    int first = process_cpu_usable(0);
    int second = process_cpu_usable(1);

    if (settings->server_cpu == SETTINGS_CPU_CHOOSE) {
        settings->server_cpu = second >= 0 ? first : SETTINGS_CPU_ANY;
    }
    if (settings->client_cpu == SETTINGS_CPU_CHOOSE) {
        settings->client_cpu = second >= 0 ? second : SETTINGS_CPU_ANY;
    }
}

static bool settings_complete(struct settings *settings, char *error)
{
    if (!scenarios_decide(settings, error) || !secret_load(settings, error) ||
        !server_check(settings, error)) {
        return false;
    }
    if (settings->server_pid != NULL &&
        process_set_parse(settings->server_pid, &settings->server) != 0) {
        return fail(error, "--server-pid must be process ids, separated by commas");
    }
    settings->has_server_tls = settings->spawn != NULL && settings->tls;
    settings->has_server = settings->spawn != NULL
                               ? !settings->tls || settings->plain
                               : settings->access != NULL || settings->connect != NULL;
    settings->floor = settings->floor || settings->compare > 0;
    settings->rounds = settings->compare > 0 ? (unsigned)settings->compare : 1;
    cpus_choose(settings);
    return true;
}

enum options_result settings_parse(int argc, char **argv, struct settings *settings,
                                   char error[static OPTIONS_ERROR_SIZE])
{
    char *arguments[ARGUMENTS_MAX];

    *settings = (struct settings){.floor = false};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            return OPTIONS_HELP;
        }
    }
    if (argc > ARGUMENTS_MAX / 2) {
        fail(error, "too many arguments");
        return OPTIONS_ERROR;
    }
    int count = arguments_complete(argc, argv, arguments);
    enum options_result result = options_parse(&table, count, arguments, settings, error);

    if (result == OPTIONS_OK && !settings_complete(settings, error)) {
        return OPTIONS_ERROR;
    }
    return result;
}

void settings_release(struct settings *settings)
{
    options_release(&table, settings);
}
