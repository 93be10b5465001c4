#include "tests/host-gst/timing.h"

#include <stdlib.h>

void timing_add(struct timing *timing, gint64 begun_us)
{
    fail_unless(timing->count < TIMING_SAMPLES_MAX);
    timing->took_us[timing->count++] = g_get_monotonic_time() - begun_us;
}

static int compare_times(const void *a, const void *b)
{
    const gint64 *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

gint64 timing_limit(gint64 limit_us)
{
    double load, share = 1;

    if (getloadavg(&load, 1) == 1 && load > g_get_num_processors()) {
        share = load / g_get_num_processors();
    }
    return (gint64)((double)limit_us * share);
}

void timing_check(struct timing *timing, guint percent, gint64 limit_us, const char *what)
{
    gint64 took_us;

    qsort(timing->took_us, timing->count, sizeof timing->took_us[0], compare_times);
    took_us = timing->took_us[(timing->count - 1) * percent / 100];
    fail_unless(took_us <= timing_limit(limit_us),
                "%s: %" G_GINT64_FORMAT " us in %u %% of %u steps, longest %" G_GINT64_FORMAT " us",
                what, took_us, percent, timing->count, timing->took_us[timing->count - 1]);
}
