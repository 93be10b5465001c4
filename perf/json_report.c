#include "perf/json_report.h"

#include <errno.h>

int json_report_print(json_t *report, bool is_whole, FILE *out)
{
    if (report == NULL || !is_whole) {
        json_decref(report);
        return -ENOMEM;
    }
    int failed = json_dumpf(report, out, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) != 0 ? -EIO : 0;

    json_decref(report);
    fprintf(out, "\n");
    return fflush(out) == 0 ? failed : -EIO;
}
