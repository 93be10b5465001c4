#include "perf/load/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "perf/load/load_conn.h"
#include "perf/load/pacer.h"

enum {
    EVENTS_MAX = 64,
    IDLE_WAIT_MS = 20, /* phases end on time even where nothing happens */
    PROGRESS_EVERY = 1000,
};

static const uint64_t ms_ns = 1000000;
static const uint64_t second_ns = 1000000000;

enum load_phase { LOAD_PHASE_WARMUP, LOAD_PHASE_WINDOW, LOAD_PHASE_DRAIN, LOAD_PHASE_DONE };

struct load {
    const struct load_config *config;
    struct load_result *result;
    struct load_view view;
    struct load_conn *conns; /* publishers first, one per topic; then viewers */
    size_t conns_count;
    struct load_publisher *publishers;
    size_t publishers_count;
    int epoll_fd;
    int timer_fd;
    bool is_paced; /* something is sent: messages, or probes of a server that knows pings */
    struct pacer pacer;
    uint64_t timer_ns; /* what the timer is set to */
    enum load_phase phase;
    uint64_t phase_end_ns;
    int failed;
};

static struct load_conn *conn_of_publisher(struct load *load, size_t index)
{
    CHECK(index < load->publishers_count);
    return &load->conns[index];
}

static void timer_set(struct load *load, uint64_t due_ns)
{
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(due_ns / second_ns), .tv_nsec = (long)(due_ns % second_ns)},
    };

    if (due_ns == load->timer_ns) {
        return;
    }
    load->timer_ns = due_ns;
    CHECK(timerfd_settime(load->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0);
}

static void publish_due(struct load *load)
{
    uint64_t slot;

    if (!load->is_paced || load->phase >= LOAD_PHASE_DRAIN) {
        return;
    }
    while (pacer_take(&load->pacer, clock_monotonic_ns(), &slot)) {
        if (load->publishers_count > 0) {
            load_conn_publish(&load->view, conn_of_publisher(load, slot % load->publishers_count));
        } else {
            load_conn_probe(&load->view, &load->conns[slot % load->conns_count]);
        }
    }
    timer_set(load, pacer_due_ns(&load->pacer));
}

static uint64_t expected_count(const struct load *load)
{
    uint64_t expected = 0;

    for (size_t i = 0; i < load->publishers_count; i++) {
        expected += load->publishers[i].completed * load->config->scenario.viewers;
    }
    return expected;
}

static void window_begin(struct load *load, uint64_t now_ns)
{
    load->failed = process_usage_read(&load->config->server, &load->result->server.window_start);
    load->result->own_cpu_ns = process_thread_cpu_ns();
    load->pacer.late = 0;
    load->pacer.skipped = 0;
    load->phase = LOAD_PHASE_WINDOW;
    load->view.in_window = true;
    load->view.window_start_ns = now_ns;
    load->view.window_end_ns = now_ns + load->config->window_ns;
    load->phase_end_ns = load->view.window_end_ns;
    if (load->config->on_window != NULL) {
        load->config->on_window(load->config->on_window_ctx);
    }
}

static void window_end(struct load *load, uint64_t now_ns)
{
    int failed = process_usage_read(&load->config->server, &load->result->server.window_end);

    load->failed = load->failed != 0 ? load->failed : failed;
    load->result->own_cpu_ns = process_thread_cpu_ns() - load->result->own_cpu_ns;
    load->result->window_ns = now_ns - load->view.window_start_ns;
    load->result->late = load->pacer.late;
    load->result->skipped = load->pacer.skipped;
    load->view.window_end_ns = now_ns;
    load->phase = LOAD_PHASE_DRAIN;
    load->view.in_window = false;
    load->phase_end_ns = now_ns + LOAD_DRAIN_MS * ms_ns;
}

static bool is_drained(const struct load *load)
{
    for (size_t i = 0; i < load->publishers_count; i++) {
        if (load_publisher_is_waiting(&load->publishers[i]) && load_conn_is_open(&load->conns[i])) {
            return false;
        }
    }
    return load->result->whole_run.received >= expected_count(load) &&
           load->result->whole_run.probes_answered == load->result->whole_run.probes;
}

static void phase_advance(struct load *load)
{
    uint64_t now_ns = clock_monotonic_ns();

    switch (load->phase) {
    case LOAD_PHASE_WARMUP:
        if (now_ns >= load->phase_end_ns) {
            window_begin(load, now_ns);
        }
        break;
    case LOAD_PHASE_WINDOW:
        if (now_ns >= load->phase_end_ns) {
            window_end(load, now_ns);
        }
        break;
    case LOAD_PHASE_DRAIN:
        if (now_ns >= load->phase_end_ns || is_drained(load)) {
            load->phase = LOAD_PHASE_DONE;
        }
        break;
    case LOAD_PHASE_DONE:
        break;
    }
}

static void events_take(struct load *load, int wait_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(load->epoll_fd, events, EVENTS_MAX, wait_ms);

    CHECK(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; i++) {
        struct load_conn *conn = events[i].data.ptr;

        if (conn != NULL && load_conn_is_open(conn)) {
            load_conn_on_event(&load->view, conn);
        }
        publish_due(load);
    }
}

static void load_loop(struct load *load)
{
    while (load->phase != LOAD_PHASE_DONE && load->failed == 0) {
        events_take(load, IDLE_WAIT_MS);
        phase_advance(load);
        publish_due(load);
    }
}

static int conn_watch(struct load *load, struct load_conn *conn)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};

    if (conn->publisher != NULL) {
        event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    }
    if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, conn->transport.fd, &event) != 0) {
        return -errno;
    }
    return load_transport_set_nonblocking(&conn->transport);
}

static int conn_connect(struct load *load, struct load_conn *conn, char *error)
{
    const struct connector *connector = &load->config->connector;
    struct connection connection = {.early_len = 0};
    enum connector_role role = conn->publisher != NULL ? CONNECTOR_PUBLISHER : CONNECTOR_VIEWER;
    int failed = connector->open(connector->ctx, conn->topic, role, &connection, error);

    if (failed != 0) {
        return failed;
    }
    conn->transport = connection.transport;
    frame_reader_init(&conn->reader, load->config->scenario.bytes);
    failed = conn_watch(load, conn);
    if (failed != 0) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "cannot watch a connection: %s",
                 strerror(-failed));
        return failed;
    }
    load_conn_on_bytes(&load->view, conn, bytes_of(connection.early, connection.early_len));
    return 0;
}

/* Viewers before publishers, so that nothing is published that a viewer could miss. Those that are
 * there already answer pings meanwhile. */
static int connect_all(struct load *load, char *error)
{
    for (size_t i = load->conns_count; i-- > 0;) {
        if (i % PROGRESS_EVERY == 0 && load->conns_count > PROGRESS_EVERY) {
            fprintf(stderr, "relay-bench: connecting %zu of %zu\n", load->conns_count - i,
                    load->conns_count);
        }
        int failed = conn_connect(load, &load->conns[i], error);

        if (failed != 0) {
            char reason[LOAD_TRANSPORT_ERROR_SIZE];

            memcpy(reason, error, sizeof reason);
            snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "connection %zu of %zu: %.200s",
                     load->conns_count - i, load->conns_count, reason);
            return failed;
        }
        events_take(load, 0);
    }
    return 0;
}

static int conns_create(struct load *load)
{
    const struct scenario *scenario = &load->config->scenario;

    load->conns_count = scenario_connections(scenario);
    load->publishers_count = scenario->rate > 0 ? scenario->topics : 0;
    load->conns = calloc(load->conns_count, sizeof *load->conns);
    load->publishers = calloc(load->publishers_count + 1, sizeof *load->publishers);
    load->view.receive_buf = malloc(LOAD_RECEIVE_BYTES);
    if (load->conns == NULL || load->publishers == NULL || load->view.receive_buf == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < load->conns_count; i++) {
        load->conns[i].topic = (unsigned)(i % scenario->topics);
        load->conns[i].transport.fd = -1;
        if (i >= load->publishers_count) {
            continue;
        }
        load->conns[i].publisher = &load->publishers[i];
        if (load_publisher_init(&load->publishers[i], scenario->bytes,
                                load->config->connector.is_masked, load->view.run,
                                (uint32_t)i) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int load_init(struct load *load, char *error)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};

    histogram_init(&load->result->latency_ns);
    random_bytes(&load->view.run, sizeof load->view.run);
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    int failed = load->epoll_fd < 0 || load->timer_fd < 0 ? -errno : 0;

    if (failed == 0 && epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, load->timer_fd, &event) != 0) {
        failed = -errno;
    }
    if (failed == 0) {
        failed = conns_create(load);
    }
    if (failed != 0) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "cannot set up the generator: %s",
                 strerror(-failed));
    }
    return failed;
}

static void load_deinit(struct load *load)
{
    for (size_t i = 0; load->conns != NULL && i < load->conns_count; i++) {
        load_conn_end(&load->conns[i], load->config->connector.is_masked);
    }
    for (size_t i = 0; load->publishers != NULL && i < load->publishers_count; i++) {
        load_publisher_deinit(&load->publishers[i]);
    }
    free(load->conns);
    free(load->publishers);
    free(load->view.receive_buf);
    if (load->epoll_fd >= 0) {
        close(load->epoll_fd);
    }
    if (load->timer_fd >= 0) {
        close(load->timer_fd);
    }
}

static uint64_t sends_per_s(const struct scenario *scenario)
{
    return scenario->rate > 0 ? (uint64_t)scenario->rate * scenario->topics : LOAD_PROBES_PER_S;
}

static void load_start(struct load *load)
{
    const struct scenario *scenario = &load->config->scenario;
    uint64_t start_ns = clock_monotonic_ns() + ms_ns;

    load->view.window_start_ns = UINT64_MAX;
    load->phase_end_ns = start_ns + load->config->warmup_ns;
    load->is_paced = load->publishers_count > 0 || load->config->connector.is_masked;
    if (!load->is_paced) {
        return;
    }
    uint64_t rate = sends_per_s(scenario);
    uint64_t interval_ns = second_ns / (scenario->rate > 0 ? scenario->rate : LOAD_PROBES_PER_S);
    uint64_t late_ns = LOAD_LATE_AFTER_MS * ms_ns;
    uint64_t skip_ns = LOAD_SKIP_AFTER_MS * ms_ns;

    pacer_init(&load->pacer, start_ns, rate, interval_ns > late_ns ? interval_ns : late_ns,
               interval_ns > skip_ns ? interval_ns : skip_ns);
    timer_set(load, start_ns);
}

static void totals_collect(struct load *load)
{
    struct load_result *result = load->result;

    if (load->is_paced) {
        result->planned = (uint64_t)((unsigned __int128)result->window_ns *
                                     sends_per_s(&load->config->scenario) / second_ns);
    }
    result->whole_run.expected = expected_count(load);
    for (size_t i = 0; i < load->publishers_count; i++) {
        result->whole_run.published += load->publishers[i].completed;
    }
    for (size_t i = load->publishers_count; i < load->conns_count; i++) {
        const struct load_conn *viewer = &load->conns[i];
        uint64_t published =
            load->publishers_count > 0 ? load->publishers[viewer->topic].completed : 0;

        result->whole_run.lost += published > viewer->received ? published - viewer->received : 0;
    }
}

static int load_measure(struct load *load, char *error)
{
    const struct process_set *server = &load->config->server;
    int failed = process_usage_read(server, &load->result->server.before);

    process_memory_read(server, &load->result->server.before);
    if (failed == 0) {
        failed = connect_all(load, error);
        if (failed != 0) {
            return failed;
        }
        failed = process_usage_read(server, &load->result->server.connected);
        process_memory_read(server, &load->result->server.connected);
    }
    if (failed == 0) {
        while (load->config->may_start != NULL &&
               !load->config->may_start(load->config->may_start_ctx)) {
            events_take(load, IDLE_WAIT_MS);
        }
        load_start(load);
        load_loop(load);
        failed = load->failed;
    }
    if (failed != 0) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "the server's process has ended");
        return failed;
    }
    process_memory_read(server, &load->result->server.window_end);
    totals_collect(load);
    return 0;
}

int load_run(const struct load_config *config, struct load_result *ret_result,
             char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    struct load load = {
        .config = config,
        .result = ret_result,
        .view = {.result = ret_result},
        .epoll_fd = -1,
        .timer_fd = -1,
    };

    *ret_result = (struct load_result){.window_ns = 0};
    int failed = load_init(&load, error);

    if (failed == 0) {
        failed = load_measure(&load, error);
    }
    load_deinit(&load);
    return failed;
}
