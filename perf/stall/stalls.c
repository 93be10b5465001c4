#include "perf/stall/stalls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "perf/footage/footage_make.h"
#include "perf/spawned_session.h"

struct visit {
    const struct bench_settings *settings;
    struct stalls *stalls;
};

static int visit_run(void *ctx, struct spawned_session *spawned,
                     char error[static SPAWN_ERROR_SIZE])
{
    const struct visit *visit = ctx;
    const struct bench_settings *settings = visit->settings;
    struct stalls_visit *item = &visit->stalls->items[visit->stalls->count];
    struct load_session slow_session = spawned->session;

    slow_session.receive_buffer_bytes = SLOW_VIEWER_RECEIVE_BYTES;
    struct stall_config config = {
        .connector = load_session_connector(&spawned->session),
        .slow_connector = load_session_connector(&slow_session),
        .footage = &visit->stalls->footage,
        .cut_bytes = visit->stalls->cut_bytes,
        .viewers = settings->viewers > 0 ? (unsigned)settings->viewers : STALL_VIEWERS_DEFAULT,
        .with_first = spawned->round % 2 == 1,
        .period_ns = (uint64_t)settings->seconds * 1000000000u,
        .stall_ns = (uint64_t)settings->stall * 1000000u,
        .percent = (unsigned)settings->stall_percent,
    };

    *item = (struct stalls_visit){.target = spawned->target, .round = spawned->round};
    int failed = stall_run(&config, &item->result, error);

    visit->stalls->count += failed == 0;
    return failed;
}

int stalls_run(const struct bench_settings *settings, struct stalls *ret_stalls,
               char error[static SPAWN_ERROR_SIZE])
{
    struct visit visit = {.settings = settings, .stalls = ret_stalls};

    *ret_stalls = (struct stalls){.cut_bytes = (size_t)settings->stream_cut};
    int failed = footage_make_or_load(settings->stream, (unsigned)settings->group_ms,
                                      &ret_stalls->footage, error);

    if (failed != 0) {
        return failed;
    }
    ret_stalls->items = calloc((size_t)settings->rounds * 2, sizeof *ret_stalls->items);
    if (ret_stalls->items == NULL) {
        snprintf(error, SPAWN_ERROR_SIZE, "no memory");
        return -ENOMEM;
    }
    return spawned_session_run_all(settings, "stall", visit_run, &visit, error);
}

static bool is_right(const struct stall_result *result)
{
    return result->others_broken == 0 && result->with.seen == result->with.due &&
           result->without.seen == result->without.due && result->slow.broken == 0;
}

bool stalls_are_right(const struct stalls *stalls)
{
    for (unsigned i = 0; i < stalls->count; i++) {
        if (!is_right(&stalls->items[i].result)) {
            return false;
        }
    }
    return true;
}

void stalls_release(struct stalls *stalls)
{
    footage_release(&stalls->footage);
    free(stalls->items);
    *stalls = (struct stalls){.count = 0};
}
