/* How long one kind of step took. A busy machine may add to any step, so limits are compared with
 * the share of steps that a wait of the element's own would spoil. */
#pragma once

#include <gst/check/gstcheck.h>

enum {
    TIMING_SAMPLES_MAX = 1000,
    TIMING_START_LIMIT_US = 1000 * TIME_SCALE,
    TIMING_NULL_LIMIT_US = 50 * 1000 * TIME_SCALE,
};

struct timing {
    gint64 took_us[TIMING_SAMPLES_MAX];
    guint count;
};

void timing_add(struct timing *timing, gint64 begun_us);

/* A promise of milliseconds, where as many others as the load says share each processor. */
gint64 timing_limit(gint64 limit_us);

/* Fails unless percent of the steps took no longer. */
void timing_check(struct timing *timing, guint percent, gint64 limit_us, const char *what);
