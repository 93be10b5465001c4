#include "perf/join/joins.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "perf/footage/footage_make.h"
#include "perf/spawned_session.h"

struct visit {
    const struct bench_settings *settings;
    struct joins *joins;
};

static int visit_run(void *ctx, struct spawned_session *spawned,
                     char error[static SPAWN_ERROR_SIZE])
{
    const struct visit *visit = ctx;
    const struct bench_settings *settings = visit->settings;
    struct joins_visit *item = &visit->joins->items[visit->joins->count];
    struct join_config config = {
        .connector = load_session_connector(&spawned->session),
        .footage = &visit->joins->footage,
        .cut_bytes = visit->joins->cut_bytes,
        .joins = (unsigned)settings->join,
        .window_ns = (uint64_t)settings->seconds * 1000000000u,
        .seed = spawned->round,
    };

    *item = (struct joins_visit){.target = spawned->target, .round = spawned->round};
    int failed = join_run(&config, &item->result, error);

    visit->joins->count += failed == 0;
    return failed;
}

int joins_run(const struct bench_settings *settings, struct joins *ret_joins,
              char error[static SPAWN_ERROR_SIZE])
{
    struct visit visit = {.settings = settings, .joins = ret_joins};

    *ret_joins = (struct joins){.cut_bytes = (size_t)settings->stream_cut};
    int failed = footage_make_or_load(settings->stream, (unsigned)settings->group_ms,
                                      &ret_joins->footage, error);

    if (failed != 0) {
        return failed;
    }
    ret_joins->items = calloc((size_t)settings->rounds * 2, sizeof *ret_joins->items);
    if (ret_joins->items == NULL) {
        snprintf(error, SPAWN_ERROR_SIZE, "no memory");
        return -ENOMEM;
    }
    return spawned_session_run_all(settings, "join", visit_run, &visit, error);
}

static bool is_right(const struct join_result *result)
{
    return result->failed == 0 && result->wrong == 0;
}

bool joins_are_right(const struct joins *joins)
{
    for (unsigned i = 0; i < joins->count; i++) {
        if (!is_right(&joins->items[i].result)) {
            return false;
        }
    }
    return true;
}

void joins_release(struct joins *joins)
{
    footage_release(&joins->footage);
    free(joins->items);
    *joins = (struct joins){.count = 0};
}
