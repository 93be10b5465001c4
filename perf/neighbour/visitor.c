#include "perf/neighbour/visitor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"

enum {
    PAUSE_MS = 20, /* so that the visitor is no attack itself */
    READY_MS = 10000,
    BOOKINGS = 1000, /* that it denies in turn */
    TARGET_SIZE = 96,
};

/* Written by the visitor, read when it has ended. */
struct visitor_memory {
    struct load_session session;
    struct visit_result results[VISIT_COUNT];
    enum visit waits_for;
    uint64_t waits_since_ns; /* 0: for nothing */
};

const char *visitor_visit_text(enum visit visit)
{
    switch (visit) {
    case VISIT_JOIN:
        return "join";
    case VISIT_STATUS:
        return "status";
    case VISIT_DENY:
        return "deny";
    case VISIT_COUNT:
        break;
    }
    UNREACHABLE();
}

static int join(struct load_session *session, char *error)
{
    struct connector connector = load_session_connector(session);
    struct connection connection = {.early_len = 0};
    int failed = connector.open(connector.ctx, 0, CONNECTOR_VIEWER, &connection, error);

    if (failed == 0) {
        load_transport_close(&connection.transport);
    }
    return failed;
}

static int request(const struct load_session *session, const char *method, const char *target,
                   const char *scope, unsigned expected, char *error)
{
    unsigned status = 0;
    char *token = load_session_token_create(session, "visitor", scope);
    int failed = load_session_request(session, method, target, token, &status, error);

    free(token);
    if (failed == 0 && status != expected) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "HTTP %u", status);
        failed = -EACCES;
    }
    return failed;
}

static int deny(const struct load_session *session, uint64_t count, char *error)
{
    char target[TARGET_SIZE];

    snprintf(target, sizeof target, "/bids/deny?bid=visitor-%" PRIu64 "&exp=%" PRId64,
             count % BOOKINGS, clock_wall_s() + session->token_life_s);
    return request(session, "POST", target, "relay:admin", 204, error);
}

static int visit_make(struct visitor_memory *memory, enum visit visit, char *error)
{
    switch (visit) {
    case VISIT_JOIN:
        return join(&memory->session, error);
    case VISIT_STATUS:
        return request(&memory->session, "GET", "/status", "relay:stats", 200, error);
    case VISIT_DENY:
        return deny(&memory->session, memory->results[VISIT_DENY].count, error);
    case VISIT_COUNT:
        break;
    }
    UNREACHABLE();
}

static void visit_once(struct visitor_memory *memory, enum visit visit)
{
    struct visit_result *result = &memory->results[visit];
    char error[LOAD_TRANSPORT_ERROR_SIZE] = "";

    memory->waits_for = visit;
    memory->waits_since_ns = clock_monotonic_ns();
    int failed = visit_make(memory, visit, error);
    uint64_t took_ns = clock_monotonic_ns() - memory->waits_since_ns;

    memory->waits_since_ns = 0;
    result->count++;
    result->failed += failed != 0;
    if (failed == 0 && took_ns > result->worst_ns) {
        result->worst_ns = took_ns;
    }
    if (failed != 0 && result->failure[0] == '\0') {
        memcpy(result->failure, error, sizeof error);
    }
}

static void visitor_main(int fd, void *ctx)
{
    struct visitor_memory *memory = ctx;
    struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};

    child_ready_and_wait(fd);
    for (;;) {
        for (enum visit visit = 0; visit < VISIT_COUNT; visit++) {
            visit_once(memory, visit);
            nanosleep(&pause, NULL);
        }
    }
}

int visitor_start(struct visitor *visitor, const struct load_session *session, int cpu)
{
    *visitor = (struct visitor){.memory = child_memory_create(sizeof *visitor->memory)};
    if (visitor->memory == NULL) {
        return -ENOMEM;
    }
    visitor->memory->session = *session;
    int failed = child_start(&visitor->child, cpu, 0, visitor_main, visitor->memory);

    if (failed == 0) {
        failed = child_wait_ready(&visitor->child, READY_MS);
    }
    if (failed != 0) {
        struct visit_result ignored[VISIT_COUNT];

        visitor_end(visitor, ignored);
    }
    return failed;
}

void visitor_end(struct visitor *visitor, struct visit_result ret_results[static VISIT_COUNT])
{
    uint64_t now_ns = clock_monotonic_ns();
    struct visitor_memory *memory = visitor->memory;

    child_end(&visitor->child);
    memcpy(ret_results, memory->results, sizeof memory->results);
    if (memory->waits_since_ns != 0 && now_ns > memory->waits_since_ns) {
        struct visit_result *result = &ret_results[memory->waits_for];
        uint64_t waited_ns = now_ns - memory->waits_since_ns;

        result->worst_ns = waited_ns > result->worst_ns ? waited_ns : result->worst_ns;
    }
    child_memory_destroy(memory, sizeof *memory);
    *visitor = (struct visitor){.memory = NULL};
}
