/* relay-bench: see perf/README.md. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "perf/bench_report.h"
#include "perf/bench_settings.h"
#include "perf/connect/connect_report.h"
#include "perf/crowd/crowd_report.h"
#include "perf/join/join_report.h"
#include "perf/measurement.h"
#include "perf/neighbour/encounter_report.h"
#include "perf/stall/stall_report.h"

enum exit_status {
    EXIT_STATUS_MEASURED,
    EXIT_STATUS_FAILED,
    EXIT_STATUS_NOT_VALID,
    EXIT_STATUS_WRONG,
};

static enum exit_status status_of(enum verdict verdict, bool allow_late)
{
    switch (verdict) {
    case VERDICT_VALID:
        return EXIT_STATUS_MEASURED;
    case VERDICT_GENERATOR_LATE:
    case VERDICT_SERVER_LATE:
        return allow_late ? EXIT_STATUS_MEASURED : EXIT_STATUS_NOT_VALID;
    case VERDICT_WRONG:
        return EXIT_STATUS_WRONG;
    case VERDICT_COUNT:
        break;
    }
    UNREACHABLE();
}

static enum exit_status worst_status(const struct measurements *measurements, bool allow_late)
{
    enum exit_status worst = EXIT_STATUS_MEASURED;

    for (unsigned i = 0; i < measurements->count; i++) {
        enum exit_status status =
            status_of(measurement_verdict(&measurements->items[i]), allow_late);

        worst = status > worst ? status : worst;
    }
    return worst;
}

static enum exit_status run(const struct bench_settings *settings)
{
    struct measurements measurements;
    char error[SPAWN_ERROR_SIZE];
    int failed = measurement_run_all(settings, &measurements, error);
    enum exit_status status = worst_status(&measurements, settings->allow_late);

    if (failed != 0) {
        fprintf(stderr, "relay-bench: %s\n", error);
        status = EXIT_STATUS_FAILED;
    }
    bench_report_print_text(&measurements, settings->json ? stderr : stdout);
    if (settings->json) {
        failed = bench_report_print_json(&measurements, stdout);
        if (failed != 0) {
            fprintf(stderr, "relay-bench: cannot write the report: %s\n", strerror(-failed));
            status = EXIT_STATUS_FAILED;
        }
    }
    measurement_release_all(&measurements);
    return status;
}

/* An attack that `all` leaves out is no failure; one that was asked for by name is. */
static enum exit_status status_of_encounter(const struct bench_settings *settings,
                                            const struct encounter *encounter)
{
    if (encounter->is_left_out && settings->attacks.is_all) {
        return EXIT_STATUS_MEASURED;
    }
    if (encounter->error[0] != '\0') {
        return EXIT_STATUS_FAILED;
    }
    enum exit_status alone =
        status_of(measurement_verdict(&encounter->alone.camera), settings->allow_late);
    enum exit_status beside =
        status_of(measurement_verdict(&encounter->beside.camera), settings->allow_late);

    return alone > beside ? alone : beside;
}

static enum exit_status run_neighbours(const struct bench_settings *settings)
{
    struct encounters encounters;
    char error[SPAWN_ERROR_SIZE];
    enum exit_status status = EXIT_STATUS_MEASURED;
    int failed = encounters_run(settings, &encounters, error);

    if (failed != 0) {
        fprintf(stderr, "relay-bench: %s\n", error);
        encounters_release(&encounters);
        return EXIT_STATUS_FAILED;
    }
    for (unsigned i = 0; i < encounters.count; i++) {
        enum exit_status one = status_of_encounter(settings, &encounters.items[i]);

        status = one > status ? one : status;
    }
    encounter_report_print_text(&encounters, settings->json ? stderr : stdout);
    if (settings->json && encounter_report_print_json(&encounters, stdout) != 0) {
        fprintf(stderr, "relay-bench: cannot write the report\n");
        status = EXIT_STATUS_FAILED;
    }
    encounters_release(&encounters);
    return status;
}

static enum exit_status run_crowds(const struct bench_settings *settings)
{
    struct crowds crowds;
    char error[SPAWN_ERROR_SIZE];
    int failed = crowds_run(settings, &crowds, error);
    enum exit_status status = crowds_are_in(&crowds) ? EXIT_STATUS_MEASURED : EXIT_STATUS_WRONG;

    if (failed != 0) {
        fprintf(stderr, "relay-bench: %s\n", error);
        status = EXIT_STATUS_FAILED;
    }
    crowd_report_print_text(&crowds, settings->json ? stderr : stdout);
    if (settings->json && crowd_report_print_json(&crowds, stdout) != 0) {
        fprintf(stderr, "relay-bench: cannot write the report\n");
        status = EXIT_STATUS_FAILED;
    }
    crowds_release(&crowds);
    return status;
}

static enum exit_status run_connects(const struct bench_settings *settings)
{
    struct connects connects;
    char error[SPAWN_ERROR_SIZE];
    int failed = connects_run(settings, &connects, error);
    enum exit_status status = connects_are_in(&connects) ? EXIT_STATUS_MEASURED : EXIT_STATUS_WRONG;

    if (failed != 0) {
        fprintf(stderr, "relay-bench: %s\n", error);
        status = EXIT_STATUS_FAILED;
    }
    connect_report_print_text(&connects, settings->json ? stderr : stdout);
    if (settings->json && connect_report_print_json(&connects, stdout) != 0) {
        fprintf(stderr, "relay-bench: cannot write the report\n");
        status = EXIT_STATUS_FAILED;
    }
    connects_release(&connects);
    return status;
}

static enum exit_status run_joins(const struct bench_settings *settings)
{
    struct joins joins;
    char error[SPAWN_ERROR_SIZE];
    int failed = joins_run(settings, &joins, error);
    enum exit_status status = joins_are_right(&joins) ? EXIT_STATUS_MEASURED : EXIT_STATUS_WRONG;

    if (failed != 0) {
        fprintf(stderr, "relay-bench: %s\n", error);
        status = EXIT_STATUS_FAILED;
    }
    if (joins.count > 0) {
        join_report_print_text(&joins, settings->json ? stderr : stdout);
        if (settings->json && join_report_print_json(&joins, stdout) != 0) {
            fprintf(stderr, "relay-bench: cannot write the report\n");
            status = EXIT_STATUS_FAILED;
        }
    }
    joins_release(&joins);
    return status;
}

static enum exit_status run_stalls(const struct bench_settings *settings)
{
    struct stalls stalls;
    char error[SPAWN_ERROR_SIZE];
    int failed = stalls_run(settings, &stalls, error);
    enum exit_status status = stalls_are_right(&stalls) ? EXIT_STATUS_MEASURED : EXIT_STATUS_WRONG;

    if (failed != 0) {
        fprintf(stderr, "relay-bench: %s\n", error);
        status = EXIT_STATUS_FAILED;
    }
    if (stalls.count > 0) {
        stall_report_print_text(&stalls, settings->json ? stderr : stdout);
        if (settings->json && stall_report_print_json(&stalls, stdout) != 0) {
            fprintf(stderr, "relay-bench: cannot write the report\n");
            status = EXIT_STATUS_FAILED;
        }
    }
    stalls_release(&stalls);
    return status;
}

static enum exit_status run_as_set(const struct bench_settings *settings)
{
    if (settings->join > 0) {
        return run_joins(settings);
    }
    if (settings->stall > 0) {
        return run_stalls(settings);
    }
    if (settings->connects > 0) {
        return run_connects(settings);
    }
    if (settings->crowd > 0) {
        return run_crowds(settings);
    }
    return settings->attacks.count > 0 ? run_neighbours(settings) : run(settings);
}

int main(int argc, char **argv)
{
    struct bench_settings settings;
    char error[OPTIONS_ERROR_SIZE];
    enum exit_status status = EXIT_STATUS_FAILED;

    switch (bench_settings_parse(argc, argv, &settings, error)) {
    case OPTIONS_OK:
        status = run_as_set(&settings);
        break;
    case OPTIONS_HELP:
        status = EXIT_STATUS_MEASURED;
        break;
    case OPTIONS_ERROR:
    case OPTIONS_REFUSED:
        fprintf(stderr, "relay-bench: %s\n", error);
        break;
    }
    bench_settings_release(&settings);
    return (int)status;
}
