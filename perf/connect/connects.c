#include "perf/connect/connects.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "perf/spawned_session.h"

enum { TARGETS = 2 }; /* plain and wss */

struct visit {
    const struct bench_settings *settings;
    struct connects *connects;
};

static int kind_run(const struct visit *visit, const struct spawned_session *spawned,
                    enum connect_kind kind, char *error)
{
    struct connects_item *item = &visit->connects->items[visit->connects->count];
    struct connect_config config = {
        .session = spawned->session,
        .server = spawned->server,
        .kind = kind,
        .count = (unsigned)visit->settings->connects,
        .at_once = visit->connects->at_once,
    };

    *item =
        (struct connects_item){.target = spawned->target, .round = spawned->round, .kind = kind};
    fprintf(stderr, "relay-bench: %u %ss, %u at a time\n", config.count, connect_kind_text(kind),
            config.at_once);
    int failed = connect_run(&config, &item->result, error);

    visit->connects->count += failed == 0;
    return failed;
}

static int visit_run(void *ctx, struct spawned_session *spawned,
                     char error[static SPAWN_ERROR_SIZE])
{
    const struct visit *visit = ctx;
    int failed = spawned->target == TARGET_SERVER_TLS
                     ? kind_run(visit, spawned, CONNECT_HANDSHAKE, error)
                     : 0;

    return failed != 0 ? failed : kind_run(visit, spawned, CONNECT_JOIN, error);
}

int connects_run(const struct bench_settings *settings, struct connects *ret_connects,
                 char error[static SPAWN_ERROR_SIZE])
{
    struct visit visit = {.settings = settings, .connects = ret_connects};

    *ret_connects = (struct connects){.at_once = (unsigned)settings->at_once};
    ret_connects->items =
        calloc((size_t)settings->rounds * TARGETS * CONNECT_KINDS, sizeof *ret_connects->items);
    if (ret_connects->items == NULL) {
        snprintf(error, SPAWN_ERROR_SIZE, "no memory");
        return -ENOMEM;
    }
    return spawned_session_run_all(settings, "connects", visit_run, &visit, error);
}

bool connects_are_in(const struct connects *connects)
{
    for (unsigned i = 0; i < connects->count; i++) {
        if (connects->items[i].result.failed > 0) {
            return false;
        }
    }
    return true;
}

void connects_release(struct connects *connects)
{
    free(connects->items);
    *connects = (struct connects){.count = 0};
}
