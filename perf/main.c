/* relay-bench: see perf/README.md. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "perf/measure.h"
#include "perf/report.h"
#include "perf/settings.h"

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

static enum exit_status run(const struct settings *settings)
{
    struct measurements measurements;
    char error[SPAWN_ERROR_SIZE];
    int failed = measure_all(settings, &measurements, error);
    enum exit_status status = worst_status(&measurements, settings->allow_late);

    if (failed != 0) {
        fprintf(stderr, "relay-bench: %s\n", error);
        status = EXIT_STATUS_FAILED;
    }
    report_print_text(&measurements, settings->json ? stderr : stdout);
    if (settings->json) {
        failed = report_print_json(&measurements, stdout);
        if (failed != 0) {
            fprintf(stderr, "relay-bench: cannot write the report: %s\n", strerror(-failed));
            status = EXIT_STATUS_FAILED;
        }
    }
    measurements_release(&measurements);
    return status;
}

int main(int argc, char **argv)
{
    struct settings settings;
    char error[OPTIONS_ERROR_SIZE];
    enum exit_status status = EXIT_STATUS_FAILED;

    switch (settings_parse(argc, argv, &settings, error)) {
    case OPTIONS_OK:
        status = run(&settings);
        break;
    case OPTIONS_HELP:
        status = EXIT_STATUS_MEASURED;
        break;
    case OPTIONS_ERROR:
        fprintf(stderr, "relay-bench: %s\n", error);
        break;
    }
    settings_release(&settings);
    return (int)status;
}
