#include "perf/bench_settings.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/options/secret_file.h"
#include "perf/churn/churn.h"
#include "perf/connect/connect.h"
#include "perf/crowd/crowd.h"
#include "perf/footage/footage_make.h"
#include "perf/join/join.h"
#include "perf/scale/crew.h"
#include "perf/stall/stall.h"

enum { ARGUMENTS_MAX = 256 };

#define AT(member) offsetof(struct bench_settings, member)

static const struct option_spec specs[] = {
    {NULL, "scenarios", OPTION_TEXT, AT(scenarios), NULL, false, 0, 0, NULL,
     "Scenarios by letter: \"C\", \"A-F\", \"A,E-F\". Default: A-F."},
    {NULL, "topics", OPTION_INTEGER, AT(topics), NULL, false, 1, SCENARIO_TOPICS_MAX, NULL,
     "A scenario of your own, instead of letters: topics (1)."},
    {NULL, "viewers", OPTION_INTEGER, AT(viewers), NULL, false, 1, SCENARIO_VIEWERS_MAX, NULL,
     "Viewers of each topic (1)."},
    {NULL, "bytes", OPTION_INTEGER, AT(bytes), NULL, false, SCENARIO_BYTES_MIN, SCENARIO_BYTES_MAX,
     NULL, "Payload of each message (4096)."},
    {NULL, "rate", OPTION_INTEGER, AT(rate), NULL, false, 1, SCENARIO_RATE_MAX, NULL,
     "Messages per second of each topic (100)."},
    {NULL, "idle", OPTION_INTEGER, AT(idle), NULL, false, 1, SCENARIO_VIEWERS_MAX, NULL,
     "Instead: N idle connections, spread over --topics topics and held for --seconds; reports "
     "memory per connection, processor time, and how fast the server answers 10 pings a second."},
    {NULL, "fanout", OPTION_TEXT, AT(fanout), NULL, false, 0, 0, NULL,
     "Instead: one run for each number of viewers, such as 1,10,100, with --topics, --bytes and "
     "--rate."},
    {NULL, "scale", OPTION_INTEGER, AT(scale), NULL, false, 1, 100, NULL,
     "With --spawn, instead of --rate: find the rate that keeps --workers busy to N percent, and "
     "measure there."},
    {NULL, "threads", OPTION_INTEGER, AT(threads), "1", false, 1, CREW_THREADS_MAX, NULL,
     "Threads of the generator, among which topics are divided; not for the floor."},
    {NULL, "churn", OPTION_INTEGER, AT(churn), NULL, false, 1, CHURN_RATE_MAX, NULL,
     "Besides: N viewers a second join the topics, see one message each, and leave."},
    {NULL, "connects", OPTION_INTEGER, AT(connects), NULL, false, 1, CONNECTS_MAX, NULL,
     "Instead, with --spawn: N clients come, as fast as they are let in, and leave at once; "
     "reports joins and TLS handshakes a second, and the server's processor time for each."},
    {NULL, "at-once", OPTION_INTEGER, AT(at_once), "8", false, 1, CONNECT_AT_ONCE_MAX, NULL,
     "With --connects: so many are on their way at a time."},
    {NULL, "seconds", OPTION_INTEGER, AT(seconds), "5", false, 1, 3600, NULL,
     "Length of the measured window."},
    {NULL, "warmup-ms", OPTION_INTEGER, AT(warmup_ms), "500", false, 0, 60000, NULL,
     "Time under load before the window."},
    {NULL, "spawn", OPTION_TEXT, AT(spawn), NULL, false, 0, 0, NULL,
     "Measure a spawned relay: starts \"TEXT serve\" on free ports for each run, and ends it."},
    {NULL, "server-log", OPTION_TEXT, AT(server_log), NULL, false, 0, 0, NULL,
     "File to append the output of spawned relays to."},
    {NULL, "server-pid", OPTION_TEXT, AT(server_pid), NULL, false, 0, 0, NULL,
     "Process id of the running server to account for; several, separated by commas, are summed."},
    {NULL, "access", OPTION_TEXT, AT(access), NULL, false, 0, 0, NULL,
     "Measure a running relay: the URL of its access API."},
    {NULL, "connect", OPTION_TEXT, AT(connect), NULL, false, 0, 0, NULL,
     "Measure a server without access API: its WebSocket URL; {topic} and {role} are filled in."},
    {NULL, "audience", OPTION_TEXT, AT(audience), NULL, false, 0, 0, NULL,
     "Audience of the tokens, if it differs from --access."},
    {"RELAY_SECRET", "secret", OPTION_SECRET, AT(secret), NULL, false, 0, 0, NULL,
     "Secret that signs the tokens; prefer the environment or a file to the flag."},
    {"RELAY_SECRET_FILE", "secret-file", OPTION_TEXT, AT(secret_file), NULL, false, 0, 0, NULL,
     "File that holds it."},
    {NULL, "floor", OPTION_BOOLEAN, AT(floor), "false", false, 0, 0, NULL,
     "Measure the raw floor, a send() loop of the same shape (alone or in addition to a server)."},
    {NULL, "compare", OPTION_INTEGER, AT(compare), NULL, false, 1, 1000, NULL,
     "Alternate floor and server, N times (5 without a number); reports medians of the ratios. "
     "With --neighbour: alternate alone and beside, N times; reports medians. With --crowd, "
     "--join, --stall, --connects, --scale, --churn and --threads: N times, without floor."},
    {NULL, "server-cpu", OPTION_INTEGER, AT(server_cpu), "-2", false, -2, 1023, NULL,
     "CPU of the server (--spawn) and of the floor; -1: any; -2: the first usable of two."},
    {NULL, "client-cpu", OPTION_INTEGER, AT(client_cpu), "-2", false, -2, 1023, NULL,
     "CPU of the generator; -1: any; -2: the second usable one."},
    {NULL, "workers", OPTION_INTEGER, AT(workers), "1", false, 0, 1024, NULL,
     "RELAY_WORKERS of a spawned relay; 0: its own default."},
    {NULL, "neighbour", OPTION_TEXT, AT(neighbour), NULL, false, 0, 0, NULL,
     "Instead, with --spawn: a camera with 10 viewers alone and beside an attack; kinds below, "
     "several separated by commas, or all."},
    {NULL, "neighbour-percent", OPTION_INTEGER, AT(neighbour_percent), "100", false, 1,
     ATTACK_PERCENT_MAX, NULL,
     "Strength of attacks: share of their connections and rate of opening."},
    {NULL, "neighbour-cpu", OPTION_INTEGER, AT(neighbour_cpu), "-2", false, -2, 1023, NULL,
     "CPU of attackers; -1: any; -2: the third usable one, or the generator's."},
    {NULL, "recover-seconds", OPTION_INTEGER, AT(recover_seconds), "10", false, 0, 600, NULL,
     "Time after an attack until the server's memory is read again."},
    {NULL, "crowd", OPTION_INTEGER, AT(crowd), NULL, false, 1, CROWD_VIEWERS_MAX, NULL,
     "Instead, with --spawn: N viewers of one booking join one topic, and get one message."},
    {NULL, "crowd-ms", OPTION_INTEGER, AT(crowd_ms), "2000", false, 0, 600000, NULL,
     "Time over which they come, evenly."},
    {NULL, "join", OPTION_INTEGER, AT(join), NULL, false, 1, JOINS_MAX, NULL,
     "Instead, with --spawn: N viewers join a live stream at random moments of --seconds; reports "
     "the time from the 101 to the last byte of the first picture that can be decoded."},
    {NULL, "stall", OPTION_INTEGER, AT(stall), NULL, false, 1, 3600000, NULL,
     "Instead, with --spawn: a viewer of a live stream reads nothing for N ms, beside --viewers "
     "(10) that do, for --seconds without it and with it; reports what it lost, how old its "
     "pictures were, and the others' latency."},
    {NULL, "stall-percent", OPTION_INTEGER, AT(stall_percent), "0", false, 0, 1000, NULL,
     "It reads at this share of the stream's rate meanwhile."},
    {NULL, "stream", OPTION_TEXT, AT(stream), NULL, false, 0, 0, NULL,
     "With --join and --stall: the MPEG transport stream to publish, over and over at its pace, "
     "instead of a made one (25 pictures a second, 1 Mbit/s)."},
    {NULL, "stream-cut", OPTION_INTEGER, AT(stream_cut), "0", false, 0, SCENARIO_BYTES_MAX, NULL,
     "Bytes of its messages, which cut it anywhere; 0: one message for each picture."},
    {NULL, "group-ms", OPTION_INTEGER, AT(group_ms), "2000", false, 1, FOOTAGE_GROUP_MS_MAX, NULL,
     "Time between key pictures of the made stream."},
    {NULL, "tls", OPTION_BOOLEAN, AT(tls), "false", false, 0, 0, NULL,
     "Allow https and wss URLs; with --spawn use them (--tls-cert, --tls-key)."},
    {NULL, "plain", OPTION_BOOLEAN, AT(plain), "false", false, 0, 0, NULL,
     "With --spawn and --tls: measure the relay without TLS too, in the same rounds."},
    {NULL, "ca-file", OPTION_TEXT, AT(ca_file), NULL, false, 0, 0, NULL,
     "Certificates (PEM) to trust, instead of the system's."},
    {NULL, "insecure", OPTION_BOOLEAN, AT(insecure), "false", false, 0, 0, NULL,
     "Do not check the server's certificate."},
    {NULL, "tls-cert", OPTION_TEXT, AT(tls_cert), NULL, false, 0, 0, NULL,
     "RELAY_TLS_CERT of a spawned relay."},
    {NULL, "tls-key", OPTION_TEXT, AT(tls_key), NULL, false, 0, 0, NULL,
     "RELAY_TLS_KEY of a spawned relay."},
    {NULL, "json", OPTION_BOOLEAN, AT(json), "false", false, 0, 0, NULL,
     "JSON on standard output; the text goes to standard error."},
    {NULL, "allow-late", OPTION_BOOLEAN, AT(allow_late), "false", false, 0, 0, NULL,
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

static void print_attacks(void)
{
    const struct attack *attack;

    printf("\nNeighbours (attacks beside a camera, see perf/README.md):\n");
    for (unsigned i = 0; (attack = attack_at(i)) != NULL; i++) {
        printf("  %-10s %s%s\n", attack->name, attack->help,
               attack->needs_tls ? " Needs --tls." : "");
    }
}

static void print_examples(void)
{
    printf("  relay-bench --compare 5 --spawn build/release/relay\n"
           "  relay-bench --floor --scenarios E --seconds 10\n"
           "  relay-bench --topics 4 --viewers 25 --bytes 1200 --rate 50 --spawn ./relay\n"
           "  RELAY_SECRET=... relay-bench --access http://127.0.0.1:3000 --server-pid 4711\n"
           "  relay-bench --connect 'ws://127.0.0.1:9001/{topic}' --server-pid 4711,4712\n"
           "  relay-bench --idle 1000 --spawn build/release/relay\n"
           "  relay-bench --fanout 1,10,100 --bytes 4096 --rate 50 --spawn ./relay --compare\n"
           "  relay-bench --scale 90 --topics 160 --viewers 4 --threads 4 --workers 8 \\\n"
           "              --spawn ./relay\n"
           "  relay-bench --churn 20 --scenarios E --spawn ./relay\n"
           "  relay-bench --connects 5000 --spawn ./relay\n"
           "  relay-bench --neighbour tiny,requests --spawn build/release/relay --seconds 10\n"
           "  relay-bench --crowd 2000 --spawn build/release/relay --workers 0 --server-cpu -1\n"
           "  relay-bench --join 200 --group-ms 10000 --spawn build/release/relay --seconds 20\n"
           "  relay-bench --stall 10000 --stall-percent 25 --spawn ./relay --seconds 10 \\\n"
           "              --compare 5\n"
           "  relay-bench --compare --plain --tls --tls-cert c.pem --tls-key k.pem \\\n"
           "              --ca-file ca.pem --spawn build/release/relay\n");
}

static void print_help(void)
{
    printf("relay-bench: measure a relay's processor time, latency and memory\n\n"
           "Usage: relay-bench [--scenarios LIST] [--seconds N] [--floor] [--compare N]\n"
           "                   [--spawn PATH | --access URL | --connect URL] [options]\n"
           "       relay-bench --fanout LIST | --scale PERCENT | --idle N | --churn N [options]\n"
           "       relay-bench --connects N --spawn PATH [options]\n"
           "       relay-bench --neighbour KIND[,KIND...] --spawn PATH [options]\n"
           "       relay-bench --crowd N --spawn PATH [options]\n"
           "       relay-bench --join N | --stall MS --spawn PATH [--stream FILE] [options]\n\n"
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
           "  D 100x2x4096@25    E 1x100x4096@100   F 1x100x65536@25\n");
    print_attacks();
    printf("\nExit status:\n"
           "  0  measured\n"
           "  1  could not measure: wrong options, refused, server not running\n"
           "  2  measured, but the rate was not kept: the figures are not valid\n"
           "  3  messages were lost, damaged or misdelivered, or connections were cut\n\n"
           "Examples:\n");
    print_examples();
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

static struct scenario custom_scenario(const struct bench_settings *settings)
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
    if (settings->scale > 0) {
        memcpy(scenario.name, "scale", sizeof "scale");
    }
    return scenario;
}

static bool scenarios_decide(struct bench_settings *settings, char *error)
{
    bool shaped = settings->topics > 0 || settings->viewers > 0 || settings->bytes > 0 ||
                  settings->rate > 0 || settings->idle > 0 || settings->fanout != NULL ||
                  settings->scale > 0;

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
    struct scenario custom = custom_scenario(settings);

    if (custom.viewers == 0) {
        return fail(error, "--idle must be at least --topics");
    }
    if (settings->fanout != NULL) {
        return scenario_list_of_viewers(&custom, settings->fanout, &settings->list) == 0 ||
               fail(error, "--fanout must be numbers of viewers, such as 1,10,100");
    }
    settings->list = (struct scenario_list){.items = {custom}, .count = 1};
    return true;
}

static bool has_scenario(const struct bench_settings *settings)
{
    return settings->scenarios != NULL || settings->topics > 0 || settings->viewers > 0 ||
           settings->bytes > 0 || settings->rate > 0 || settings->idle > 0 || settings->floor;
}

static bool crowd_check(const struct bench_settings *settings, char *error)
{
    if (settings->crowd == 0) {
        return true;
    }
    if (settings->spawn == NULL) {
        return fail(error, "--crowd needs --spawn: each crowd meets a server of its own");
    }
    return (!has_scenario(settings) && settings->neighbour == NULL) ||
           fail(error, "--crowd excludes --neighbour, --scenarios, --topics, --viewers, --bytes, "
                       "--rate, --idle and --floor");
}

/* Modes with a live stream. */
static bool stream_check(const struct bench_settings *settings, char *error)
{
    if (settings->join == 0 && settings->stall == 0) {
        return (settings->stream == NULL && settings->stream_cut == 0) ||
               fail(error, "--stream and --stream-cut are for --join and --stall");
    }
    if (settings->spawn == NULL) {
        return fail(error, "--join and --stall need --spawn: each run meets a server of its own");
    }
    if (settings->viewers > STALL_VIEWERS_MAX) {
        return fail(error, "--viewers must be at most 1000 with --stall");
    }
    return ((settings->join == 0) != (settings->stall == 0) && settings->scenarios == NULL &&
            settings->topics == 0 && settings->bytes == 0 && settings->rate == 0 &&
            settings->idle == 0 && !settings->floor && settings->neighbour == NULL &&
            settings->crowd == 0) ||
           fail(error, "--join and --stall exclude each other, --crowd, --neighbour, --scenarios, "
                       "--topics, --bytes, --rate, --idle and --floor");
}

/* Modes that take the place of scenarios, or have one of their own. */
static unsigned modes_count(const struct bench_settings *settings)
{
    return (settings->fanout != NULL) + (settings->scale > 0) + (settings->idle > 0) +
           (settings->connects > 0) + (settings->neighbour != NULL) + (settings->crowd > 0) +
           (settings->join > 0) + (settings->stall > 0);
}

static bool modes_check(const struct bench_settings *settings, char *error)
{
    if (modes_count(settings) > 1) {
        return fail(error, "--fanout, --scale, --idle, --connects, --neighbour, --crowd, --join "
                           "and --stall exclude each other");
    }
    if ((settings->scale > 0 || settings->connects > 0) && settings->spawn == NULL) {
        return fail(error, "--scale and --connects need --spawn: they know the server's process");
    }
    if (settings->scale > 0 && (settings->rate > 0 || settings->scenarios != NULL ||
                                settings->floor || settings->workers == 0)) {
        return fail(error, "--scale finds the rate for --workers: it excludes --rate, --scenarios, "
                           "--floor and --workers 0");
    }
    if (settings->fanout != NULL && (settings->viewers > 0 || settings->scenarios != NULL)) {
        return fail(error, "--fanout excludes --viewers and --scenarios");
    }
    if (settings->connects > 0 && has_scenario(settings)) {
        return fail(error, "--connects excludes --scenarios, --topics, --viewers, --bytes, --rate "
                           "and --floor");
    }
    return true;
}

/* After the scenarios are known. */
static bool beside_check(const struct bench_settings *settings, char *error)
{
    bool is_load = modes_count(settings) == 0 || settings->fanout != NULL || settings->scale > 0;

    if (settings->churn > 0 && (!is_load || settings->floor)) {
        return fail(error, "--churn is for scenarios, --fanout and --scale, without --floor");
    }
    if (settings->threads > 1 && (!(is_load || settings->idle > 0) || settings->floor)) {
        return fail(error, "--threads is for scenarios, --fanout, --scale and --idle, without "
                           "--floor");
    }
    for (unsigned i = 0; i < settings->list.count && settings->threads > 1; i++) {
        if (settings->list.items[i].topics < settings->threads) {
            return fail(error, "--threads divides topics: each scenario must have as many");
        }
    }
    return true;
}

static bool neighbour_decide(struct bench_settings *settings, char *error)
{
    if (settings->neighbour == NULL) {
        return true;
    }
    if (settings->spawn == NULL) {
        return fail(error, "--neighbour needs --spawn: each attack meets a server of its own");
    }
    if (has_scenario(settings)) {
        return fail(error, "--neighbour has a scenario of its own: it excludes --scenarios, "
                           "--topics, --viewers, --bytes, --rate, --idle and --floor");
    }
    return attack_list_parse(settings->neighbour, &settings->attacks) == 0 ||
           fail(error, "--neighbour must be kinds separated by commas, or all; see "
                       "relay-bench --help");
}

static bool server_check(const struct bench_settings *settings, char *error)
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

static bool secret_load(struct bench_settings *settings, char *error)
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

static void cpus_choose(struct bench_settings *settings)
{
    int first = process_cpu_usable(0);
    int second = settings->threads > 1 ? -1 : process_cpu_usable(1); /* more need more CPUs */

    if (settings->server_cpu == BENCH_SETTINGS_CPU_CHOOSE) {
        settings->server_cpu = second >= 0 ? first : BENCH_SETTINGS_CPU_ANY;
    }
    if (settings->client_cpu == BENCH_SETTINGS_CPU_CHOOSE) {
        settings->client_cpu = second >= 0 ? second : BENCH_SETTINGS_CPU_ANY;
    }
    if (settings->neighbour_cpu == BENCH_SETTINGS_CPU_CHOOSE) {
        int third = process_cpu_usable(2);

        settings->neighbour_cpu = third >= 0 ? third : settings->client_cpu;
    }
}

static bool bench_settings_complete(struct bench_settings *settings, char *error)
{
    if (!crowd_check(settings, error) || !stream_check(settings, error) ||
        !neighbour_decide(settings, error) || !modes_check(settings, error) ||
        !scenarios_decide(settings, error) || !beside_check(settings, error) ||
        !secret_load(settings, error) || !server_check(settings, error)) {
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
    settings->floor =
        settings->floor ||
        (settings->compare > 0 && settings->threads == 1 && settings->churn == 0 &&
         (modes_count(settings) == 0 || settings->fanout != NULL || settings->idle > 0));
    settings->rounds = settings->compare > 0 ? (unsigned)settings->compare : 1;
    cpus_choose(settings);
    return true;
}

enum options_result bench_settings_parse(int argc, char **argv, struct bench_settings *settings,
                                         char error[static OPTIONS_ERROR_SIZE])
{
    char *arguments[ARGUMENTS_MAX];

    *settings = (struct bench_settings){.floor = false};
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

    if (result == OPTIONS_OK && !bench_settings_complete(settings, error)) {
        return OPTIONS_ERROR;
    }
    return result;
}

void bench_settings_release(struct bench_settings *settings)
{
    options_release(&table, settings);
}
