#include "perf/scale/crew.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* Counts the members that are still to come; each comes once. */
struct meeting {
    _Atomic unsigned missing;
};

struct member {
    struct load_config config;
    struct load_session session;
    struct load_result result;
    char error[LOAD_TRANSPORT_ERROR_SIZE];
    int failed;
    bool has_met;
    struct meeting *meeting;
    pthread_t thread;
};

static void meeting_come(struct member *member)
{
    if (!member->has_met) {
        member->has_met = true;
        member->meeting->missing--;
    }
}

static bool may_start(void *ctx)
{
    struct member *member = ctx;

    meeting_come(member);
    return member->meeting->missing == 0;
}

static void *member_main(void *ctx)
{
    struct member *member = ctx;

    member->failed = load_run(&member->config, &member->result, member->error);
    meeting_come(member); /* if it could not connect; the others go on */
    return NULL;
}

static void members_prepare(struct member *members, unsigned count,
                            const struct load_config *config, const struct load_session *session,
                            struct meeting *meeting)
{
    unsigned topics = config->scenario.topics;
    unsigned first = session->topic_first;

    for (unsigned i = 0; i < count; i++) {
        struct member *member = &members[i];

        member->meeting = meeting;
        member->session = *session;
        member->session.topic_first = first;
        member->config = *config;
        member->config.scenario.topics = topics / count + (i < topics % count);
        member->config.connector = load_session_connector(&member->session);
        member->config.may_start = may_start;
        member->config.may_start_ctx = member;
        member->config.on_window = i == 0 ? config->on_window : NULL;
        first += member->config.scenario.topics;
    }
}

static void counts_add(struct load_result *sum, const struct load_result *part)
{
    sum->planned += part->planned;
    sum->published += part->published;
    sum->delivered += part->delivered;
    sum->delivered_bytes += part->delivered_bytes;
    sum->late += part->late;
    sum->skipped += part->skipped;
    sum->held += part->held;
    sum->own_cpu_ns = part->own_cpu_ns > sum->own_cpu_ns ? part->own_cpu_ns : sum->own_cpu_ns;
    if (sum->first_cut[0] == '\0') {
        memcpy(sum->first_cut, part->first_cut, sizeof sum->first_cut);
    }
    histogram_add(&sum->latency_ns, &part->latency_ns);
}

static void whole_run_add(struct load_result *sum, const struct load_result *part)
{
    sum->whole_run.published += part->whole_run.published;
    sum->whole_run.expected += part->whole_run.expected;
    sum->whole_run.received += part->whole_run.received;
    sum->whole_run.lost += part->whole_run.lost;
    sum->whole_run.out_of_order += part->whole_run.out_of_order;
    sum->whole_run.foreign += part->whole_run.foreign;
    sum->whole_run.damaged += part->whole_run.damaged;
    sum->whole_run.merged += part->whole_run.merged;
    sum->whole_run.fragmented += part->whole_run.fragmented;
    sum->whole_run.closed += part->whole_run.closed;
    sum->whole_run.pings += part->whole_run.pings;
    sum->whole_run.probes += part->whole_run.probes;
    sum->whole_run.probes_answered += part->whole_run.probes_answered;
}

/* The last to have connected has seen the server with all connections. */
static void results_merge(const struct member *members, unsigned count, struct load_result *result)
{
    *result = members[0].result;
    for (unsigned i = 1; i < count; i++) {
        const struct load_result *part = &members[i].result;

        counts_add(result, part);
        whole_run_add(result, part);
        if (part->server.before.cpu_ns < result->server.before.cpu_ns) {
            result->server.before = part->server.before;
        }
        if (part->server.connected.cpu_ns > result->server.connected.cpu_ns) {
            result->server.connected = part->server.connected;
        }
    }
}

static int first_failure(const struct member *members, unsigned count, char *error)
{
    for (unsigned i = 0; i < count; i++) {
        if (members[i].failed != 0) {
            memcpy(error, members[i].error, LOAD_TRANSPORT_ERROR_SIZE);
            return members[i].failed;
        }
    }
    return 0;
}

static int members_run(struct member *members, unsigned count, char *error)
{
    unsigned started = 0;
    int failed = 0;

    while (started < count && failed == 0) {
        failed = -pthread_create(&members[started].thread, NULL, member_main, &members[started]);
        started += failed == 0;
    }
    for (unsigned i = started; i < count; i++) {
        meeting_come(&members[i]);
    }
    for (unsigned i = 0; i < started; i++) {
        pthread_join(members[i].thread, NULL);
    }
    return failed != 0 ? load_transport_fail(error, failed, "cannot start a thread")
                       : first_failure(members, count, error);
}

int crew_run(const struct load_config *config, const struct load_session *session, unsigned threads,
             struct load_result *ret_result, char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    struct meeting meeting = {.missing = threads};
    struct member *members = calloc(threads, sizeof *members);

    CHECK(threads > 0 && threads <= config->scenario.topics);
    if (members == NULL) {
        return load_transport_fail(error, -ENOMEM, "no memory");
    }
    members_prepare(members, threads, config, session, &meeting);
    int failed = members_run(members, threads, error);

    if (failed == 0) {
        results_merge(members, threads, ret_result);
    }
    free(members);
    return failed;
}
