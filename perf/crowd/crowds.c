#include "perf/crowd/crowds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "perf/spawned_session.h"

struct visit {
    const struct bench_settings *settings;
    struct crowds *crowds;
};

static int visit_run(void *ctx, struct spawned_session *spawned,
                     char error[static SPAWN_ERROR_SIZE])
{
    const struct visit *visit = ctx;
    const struct bench_settings *settings = visit->settings;
    struct crowd_visit *item = &visit->crowds->items[visit->crowds->count];

    spawned->session.booking_id = "lecture";
    struct crowd_config config = {
        .connector = load_session_connector(&spawned->session),
        .viewers = (unsigned)settings->crowd,
        .within_ns = (uint64_t)settings->crowd_ms * 1000000u,
    };

    *item = (struct crowd_visit){.target = spawned->target, .round = spawned->round};
    int failed = crowd_run(&config, &item->result, error);

    visit->crowds->count += failed == 0;
    return failed;
}

int crowds_run(const struct bench_settings *settings, struct crowds *ret_crowds,
               char error[static SPAWN_ERROR_SIZE])
{
    struct visit visit = {.settings = settings, .crowds = ret_crowds};

    *ret_crowds = (struct crowds){.viewers = (unsigned)settings->crowd,
                                  .within_s = (double)settings->crowd_ms / 1000};
    ret_crowds->items = calloc((size_t)settings->rounds * 2, sizeof *ret_crowds->items);
    if (ret_crowds->items == NULL) {
        snprintf(error, SPAWN_ERROR_SIZE, "no memory");
        return -ENOMEM;
    }
    return spawned_session_run_all(settings, "crowd", visit_run, &visit, error);
}

bool crowds_are_in(const struct crowds *crowds)
{
    for (unsigned i = 0; i < crowds->count; i++) {
        if (crowds->items[i].result.refused > 0 || crowds->items[i].result.message_ns == 0) {
            return false;
        }
    }
    return true;
}

void crowds_release(struct crowds *crowds)
{
    free(crowds->items);
    *crowds = (struct crowds){.count = 0};
}
