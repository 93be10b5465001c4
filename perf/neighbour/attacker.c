#include "perf/neighbour/attacker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "perf/neighbour/joiners.h"
#include "perf/neighbour/swarm.h"
#include "perf/target/process.h"

enum { NICENESS = 19 };

struct attacker_work {
    const struct attacker_config *config;
    struct attack_counts *counts;
};

static void swarm_work(int fd, const struct attacker_work *work, struct connector connector)
{
    struct swarm_config config = {
        .attack = work->config->attack,
        .session = &work->config->session,
        .connector = connector,
        .port = work->config->port,
        .counts = work->counts,
    };
    struct swarm *swarm = swarm_create(&config);

    if (swarm != NULL) {
        child_ready_and_wait(fd);
        swarm_run(swarm, UINT64_MAX);
    }
}

static void attacker_main(int fd, void *ctx)
{
    const struct attacker_work *work = ctx;
    struct load_session session = work->config->session;
    struct connector connector = load_session_connector(&session);

    process_descriptors_raise();
    if (work->config->attack.entry == ATTACK_JOINERS) {
        child_ready_and_wait(fd);
        joiners_run(&work->config->attack, &connector, work->counts, UINT64_MAX);
    } else {
        swarm_work(fd, work, connector);
    }
}

int attacker_start(struct attacker *attacker, const struct attacker_config *config,
                   char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    *attacker = (struct attacker){.counts = child_memory_create(sizeof *attacker->counts)};
    if (attacker->counts == NULL) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "no memory");
        return -ENOMEM;
    }
    struct attacker_work work = {.config = config, .counts = attacker->counts};
    int failed = child_start(&attacker->child, config->cpu, NICENESS, attacker_main, &work);

    if (failed != 0) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "cannot start a process: %s", strerror(-failed));
        return failed;
    }
    failed = child_wait_ready(&attacker->child, ATTACKER_READY_MS);
    if (failed != 0) {
        child_end(&attacker->child);
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "the attacker %s: %.200s",
                 failed == -ETIMEDOUT ? "was not ready in time" : "found no way in",
                 attacker->counts->error);
    }
    return failed;
}

void attacker_end(struct attacker *attacker)
{
    child_end(&attacker->child);
}

void attacker_release(struct attacker *attacker)
{
    child_end(&attacker->child);
    child_memory_destroy(attacker->counts, sizeof *attacker->counts);
    *attacker = (struct attacker){.counts = NULL};
}
