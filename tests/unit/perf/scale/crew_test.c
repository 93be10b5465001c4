/* Goal: topics are divided among threads that begin together, and their results are one. Method:
 * load_run is the test's: it notes what it is asked, and answers with figures by topic. */
#include "perf/scale/crew.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 3, TOPICS = 8 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned topics_seen[TOPICS]; /* how often each was asked for */
static _Atomic unsigned connected, windows;
static unsigned fails_at = UINT32_MAX; /* the member whose first topic this is cannot connect */

struct connector load_session_connector(struct load_session *session)
{
    return (struct connector){.ctx = session, .is_masked = true};
}

static void note_window(void *ctx)
{
    cr_assert_eq(ctx, &windows);
    windows++;
}

int load_run(const struct load_config *config, struct load_result *ret_result,
             char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    const struct load_session *session = config->connector.ctx;

    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < config->scenario.topics; i++) {
        topics_seen[session->topic_first + i]++;
    }
    pthread_mutex_unlock(&lock);
    if (session->topic_first == fails_at) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "HTTP 503");
        return -EACCES;
    }
    connected++;
    while (!config->may_start(config->may_start_ctx)) {
        sched_yield();
    }
    cr_expect_geq(connected, fails_at == UINT32_MAX ? THREADS : THREADS - 1, "all are there");
    if (config->on_window != NULL) {
        config->on_window(config->on_window_ctx);
    }
    unsigned topics = config->scenario.topics;

    *ret_result = (struct load_result){
        .window_ns = 5,
        .planned = topics,
        .published = 2 * topics,
        .delivered = 3 * topics,
        .delivered_bytes = 4 * topics,
        .late = 5 * topics,
        .skipped = 6 * topics,
        .held = 7 * topics,
        .own_cpu_ns = session->topic_first,
        .whole_run = {topics, topics, topics, topics, topics, topics, topics, topics, topics,
                      topics, topics, topics, topics},
        .server = {.before.cpu_ns = 10 - session->topic_first,
                   .connected.cpu_ns = session->topic_first},
    };
    snprintf(ret_result->first_cut, LOAD_CUT_SIZE, "cut");
    histogram_init(&ret_result->latency_ns);
    histogram_record(&ret_result->latency_ns, topics);
    return 0;
}

static struct load_result result;
static char error[LOAD_TRANSPORT_ERROR_SIZE];

static int run(void)
{
    struct load_session session = {.topic_first = 0};
    struct load_config config = {
        .scenario.topics = TOPICS, .on_window = note_window, .on_window_ctx = &windows};

    return crew_run(&config, &session, THREADS, &result, error);
}

Test(crew, divides_all_topics)
{
    cr_assert_eq(run(), 0, "%s", error);
    for (unsigned i = 0; i < TOPICS; i++) {
        cr_expect_eq(topics_seen[i], 1, "topic %u", i);
    }
    cr_expect_eq(windows, 1, "said once");
}

Test(crew, adds_up_results)
{
    const uint64_t *whole_run = (const uint64_t *)&result.whole_run;

    cr_assert_eq(run(), 0, "%s", error);
    cr_expect_eq(result.planned, TOPICS);
    cr_expect_eq(result.published, 2 * TOPICS);
    cr_expect_eq(result.delivered, 3 * TOPICS);
    cr_expect_eq(result.delivered_bytes, 4 * TOPICS);
    cr_expect_eq(result.late, 5 * TOPICS);
    cr_expect_eq(result.skipped, 6 * TOPICS);
    cr_expect_eq(result.held, 7 * TOPICS);
    for (size_t i = 0; i < sizeof result.whole_run / sizeof *whole_run; i++) {
        cr_expect_eq(whole_run[i], TOPICS, "count %zu", i);
    }
    cr_expect_eq(result.latency_ns.count, THREADS);
    cr_expect_str_eq(result.first_cut, "cut");
}

/* The threads have 3, 3 and 2 of 8 topics: the last one begins with topic 6. */
Test(crew, has_the_busiest_thread_and_the_servers_extremes)
{
    cr_assert_eq(run(), 0, "%s", error);
    cr_expect_eq(result.window_ns, 5);
    cr_expect_eq(result.own_cpu_ns, 6);
    cr_expect_eq(result.server.before.cpu_ns, 4);
    cr_expect_eq(result.server.connected.cpu_ns, 6);
}

Test(crew, ends_where_one_cannot_connect)
{
    fails_at = 3;
    cr_assert_eq(run(), -EACCES);
    cr_expect_str_eq(error, "HTTP 503");
    cr_expect_eq(connected, THREADS - 1, "the others went on");
}
