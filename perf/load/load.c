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
#include "perf/load/frame_reader.h"
#include "perf/load/pacer.h"
#include "perf/load/publisher.h"

enum {
    RECEIVE_BYTES = 256 * 1024,
    EVENTS_MAX = 64,
    IDLE_WAIT_MS = 20, /* phases end on time even where nothing happens */
    PUBLISHER_READS_MAX = 16,
    OPCODE_CLOSE = 8,
    OPCODE_PONG = 10,
};

static const uint64_t ms_ns = 1000000;
static const uint64_t second_ns = 1000000000;

struct load_conn {
    struct transport transport;
    struct frame_reader reader;
    struct publisher *publisher; /* NULL for viewers */
    unsigned topic;
    uint64_t next_sequence;
    uint64_t received;
    uint8_t pong[PUBLISHER_PONG_BYTES_MAX];
    size_t pong_len;
    size_t pong_sent;
};

enum load_phase { LOAD_PHASE_WARMUP, LOAD_PHASE_WINDOW, LOAD_PHASE_DRAIN, LOAD_PHASE_DONE };

struct load {
    const struct load_config *config;
    struct load_result *result;
    struct load_conn *conns; /* publishers first, one per topic; then viewers */
    size_t conns_count;
    struct publisher *publishers;
    size_t publishers_count;
    int epoll_fd;
    int timer_fd;
    uint32_t run;
    struct pacer pacer;
    uint64_t timer_ns; /* what the timer is set to */
    enum load_phase phase;
    uint64_t phase_end_ns;
    uint64_t window_start_ns;
    uint64_t window_end_ns; /* 0 before the end of the warm-up */
    uint8_t *receive_buf;
    int failed;
};

static struct load_conn *conn_of_publisher(struct load *load, size_t index)
{
    CHECK(index < load->publishers_count);
    return &load->conns[index];
}

static bool conn_is_open(const struct load_conn *conn)
{
    return conn->transport.ops != NULL;
}

static void conn_lost(struct load *load, struct load_conn *conn)
{
    transport_close(&conn->transport);
    load->result->whole_run.closed++;
}

/* One write after the other: a frame that has begun must end before the next begins. */
static void conn_flush(struct load *load, struct load_conn *conn)
{
    struct publisher *publisher = conn->publisher;
    int result = 0;

    if (publisher != NULL && conn->pong_sent == 0) {
        result = publisher_flush(publisher, &conn->transport);
    }
    while (result == 0 && conn->pong_sent < conn->pong_len) {
        ssize_t sent = conn->transport.ops->write(&conn->transport, conn->pong + conn->pong_sent,
                                                  conn->pong_len - conn->pong_sent);

        result = sent > 0 ? 0 : sent == 0 ? -EPIPE : (int)sent;
        conn->pong_sent += sent > 0 ? (size_t)sent : 0;
    }
    if (result == 0 && conn->pong_len > 0) {
        conn->pong_len = 0;
        conn->pong_sent = 0;
        result = publisher != NULL ? publisher_flush(publisher, &conn->transport) : 0;
    }
    if (result != 0 && result != -EAGAIN) {
        conn_lost(load, conn);
    }
}

static void conn_on_ping(struct load *load, struct load_conn *conn)
{
    if (conn->pong_len > 0) {
        return; /* the latest ping may go unanswered while an answer is under way (§5.5.3) */
    }
    conn->pong_len = control_frame_write(OPCODE_PONG, conn->reader.control,
                                         conn->reader.control_len, conn->pong);
    conn_flush(load, conn);
}

static void conn_on_record(struct load *load, struct load_conn *conn, uint64_t now_ns)
{
    const struct stamp *stamp = &conn->reader.stamp;
    struct load_result *result = load->result;

    if (conn->publisher != NULL || stamp->run != load->run || stamp->topic != conn->topic) {
        result->whole_run.foreign++;
        return;
    }
    if (stamp->sequence < conn->next_sequence) {
        result->whole_run.out_of_order++;
    } else {
        conn->next_sequence = stamp->sequence + 1;
    }
    conn->received++;
    result->whole_run.received++;
    if (load->phase == LOAD_PHASE_WINDOW) {
        result->delivered++;
        result->delivered_bytes += conn->reader.record_bytes;
    }
    if (stamp->sent_ns >= load->window_start_ns && stamp->sent_ns < load->window_end_ns) {
        histogram_record(&result->latency_ns, now_ns - stamp->sent_ns);
    }
}

static void conn_on_message(struct load *load, const struct load_conn *conn)
{
    const struct frame_reader *reader = &conn->reader;

    if (reader->message_len == 0 || reader->message_len % reader->record_bytes != 0 ||
        !reader->is_binary) {
        load->result->whole_run.damaged++;
    }
    if (reader->message_len > reader->record_bytes) {
        load->result->whole_run.merged += reader->message_len / reader->record_bytes;
    }
    load->result->whole_run.fragmented += reader->message_frames > 1;
}

static void conn_on_bytes(struct load *load, struct load_conn *conn, struct bytes input)
{
    uint64_t now_ns = clock_monotonic_ns();

    while (conn_is_open(conn)) {
        switch (frame_reader_next(&conn->reader, &input)) {
        case FRAME_READER_MORE:
            return;
        case FRAME_READER_RECORD:
            conn_on_record(load, conn, now_ns);
            break;
        case FRAME_READER_MESSAGE:
            conn_on_message(load, conn);
            break;
        case FRAME_READER_PING:
            conn_on_ping(load, conn);
            break;
        case FRAME_READER_BAD:
            load->result->whole_run.damaged++;
            conn_lost(load, conn);
            break;
        case FRAME_READER_CLOSE:
            conn_lost(load, conn);
            break;
        }
    }
}

/* False when nothing more can be read now. */
static bool conn_read(struct load *load, struct load_conn *conn)
{
    ssize_t len = conn->transport.ops->read(&conn->transport, load->receive_buf, RECEIVE_BYTES);

    if (len == -EAGAIN || len == -EINTR) {
        return false;
    }
    if (len <= 0) {
        conn_lost(load, conn);
        return false;
    }
    conn_on_bytes(load, conn, bytes_of(load->receive_buf, (size_t)len));
    return conn_is_open(conn);
}

static void publish(struct load *load, struct load_conn *conn)
{
    if (!conn_is_open(conn)) {
        return;
    }
    if (publisher_is_waiting(conn->publisher) || conn->pong_sent > 0) {
        load->result->held += load->phase == LOAD_PHASE_WINDOW;
        return;
    }
    publisher_begin(conn->publisher, clock_monotonic_ns());
    load->result->published += load->phase == LOAD_PHASE_WINDOW;
    conn_flush(load, conn);
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

    if (load->publishers_count == 0 || load->phase >= LOAD_PHASE_DRAIN) {
        return;
    }
    while (pacer_take(&load->pacer, clock_monotonic_ns(), &slot)) {
        publish(load, conn_of_publisher(load, slot % load->publishers_count));
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
    load->result->own_cpu_ns = process_own_cpu_ns();
    load->pacer.late = 0;
    load->pacer.skipped = 0;
    load->phase = LOAD_PHASE_WINDOW;
    load->window_start_ns = now_ns;
    load->window_end_ns = now_ns + load->config->window_ns;
    load->phase_end_ns = load->window_end_ns;
}

static void window_end(struct load *load, uint64_t now_ns)
{
    int failed = process_usage_read(&load->config->server, &load->result->server.window_end);

    load->failed = load->failed != 0 ? load->failed : failed;
    load->result->own_cpu_ns = process_own_cpu_ns() - load->result->own_cpu_ns;
    load->result->window_ns = now_ns - load->window_start_ns;
    load->result->late = load->pacer.late;
    load->result->skipped = load->pacer.skipped;
    load->window_end_ns = now_ns;
    load->phase = LOAD_PHASE_DRAIN;
    load->phase_end_ns = now_ns + LOAD_DRAIN_MS * ms_ns;
}

static bool is_drained(const struct load *load)
{
    for (size_t i = 0; i < load->publishers_count; i++) {
        if (publisher_is_waiting(&load->publishers[i]) && conn_is_open(&load->conns[i])) {
            return false;
        }
    }
    return load->result->whole_run.received >= expected_count(load);
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

static void conn_on_event(struct load *load, struct load_conn *conn)
{
    if (conn->publisher != NULL) {
        /* Edge-triggered: read until there is nothing more. A relay has nothing to say to a
         * publisher but pings, so this ends; the limit is for servers that echo. */
        for (unsigned i = 0; i < PUBLISHER_READS_MAX && conn_read(load, conn); i++) {
        }
        if (conn_is_open(conn)) {
            conn_flush(load, conn);
        }
        return;
    }
    while (conn_read(load, conn) && conn->transport.ops->has_pending(&conn->transport)) {
    }
}

static void load_loop(struct load *load)
{
    struct epoll_event events[EVENTS_MAX];

    while (load->phase != LOAD_PHASE_DONE && load->failed == 0) {
        int count = epoll_wait(load->epoll_fd, events, EVENTS_MAX, IDLE_WAIT_MS);

        CHECK(count >= 0 || errno == EINTR);
        for (int i = 0; i < count; i++) {
            struct load_conn *conn = events[i].data.ptr;

            if (conn != NULL && conn_is_open(conn)) {
                conn_on_event(load, conn);
            }
            publish_due(load);
        }
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
    return transport_set_nonblocking(&conn->transport);
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
        snprintf(error, TRANSPORT_ERROR_SIZE, "cannot watch a connection: %s", strerror(-failed));
        return failed;
    }
    conn_on_bytes(load, conn, bytes_of(connection.early, connection.early_len));
    return 0;
}

/* Viewers before publishers, so that nothing is published that a viewer could miss. */
static int connect_all(struct load *load, char *error)
{
    for (size_t i = load->conns_count; i-- > 0;) {
        int failed = conn_connect(load, &load->conns[i], error);

        if (failed != 0) {
            char reason[TRANSPORT_ERROR_SIZE];

            memcpy(reason, error, sizeof reason);
            snprintf(error, TRANSPORT_ERROR_SIZE, "connection %zu of %zu: %.200s",
                     load->conns_count - i, load->conns_count, reason);
            return failed;
        }
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
    load->receive_buf = malloc(RECEIVE_BYTES);
    if (load->conns == NULL || load->publishers == NULL || load->receive_buf == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < load->conns_count; i++) {
        load->conns[i].topic = (unsigned)(i % scenario->topics);
        load->conns[i].transport.fd = -1;
        if (i >= load->publishers_count) {
            continue;
        }
        load->conns[i].publisher = &load->publishers[i];
        if (publisher_init(&load->publishers[i], scenario->bytes, load->config->connector.is_masked,
                           load->run, (uint32_t)i) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int load_init(struct load *load, char *error)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};

    histogram_init(&load->result->latency_ns);
    random_bytes(&load->run, sizeof load->run);
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
        snprintf(error, TRANSPORT_ERROR_SIZE, "cannot set up the generator: %s", strerror(-failed));
    }
    return failed;
}

static void conn_end(struct load *load, struct load_conn *conn)
{
    uint8_t frame[PUBLISHER_PONG_BYTES_MAX];
    static const uint8_t normal[] = {0x03, 0xe8}; /* 1000 */
    bool is_between_frames = conn->publisher == NULL || !publisher_is_waiting(conn->publisher);

    if (conn_is_open(conn) && load->config->connector.is_masked && is_between_frames) {
        size_t len = control_frame_write(OPCODE_CLOSE, normal, sizeof normal, frame);

        /* A farewell only: a server that cannot take it sees the connection end. */
        (void)!conn->transport.ops->write(&conn->transport, frame, len);
    }
    transport_close(&conn->transport);
}

static void load_deinit(struct load *load)
{
    for (size_t i = 0; load->conns != NULL && i < load->conns_count; i++) {
        conn_end(load, &load->conns[i]);
    }
    for (size_t i = 0; load->publishers != NULL && i < load->publishers_count; i++) {
        publisher_deinit(&load->publishers[i]);
    }
    free(load->conns);
    free(load->publishers);
    free(load->receive_buf);
    if (load->epoll_fd >= 0) {
        close(load->epoll_fd);
    }
    if (load->timer_fd >= 0) {
        close(load->timer_fd);
    }
}

static void load_start(struct load *load)
{
    const struct scenario *scenario = &load->config->scenario;
    uint64_t start_ns = clock_monotonic_ns() + ms_ns;

    load->window_start_ns = UINT64_MAX;
    load->phase_end_ns = start_ns + load->config->warmup_ns;
    if (load->publishers_count == 0) {
        return;
    }
    uint64_t interval_ns = second_ns / scenario->rate;
    uint64_t late_ns = LOAD_LATE_AFTER_MS * ms_ns;
    uint64_t skip_ns = LOAD_SKIP_AFTER_MS * ms_ns;

    pacer_init(&load->pacer, start_ns, (uint64_t)scenario->rate * scenario->topics,
               interval_ns > late_ns ? interval_ns : late_ns,
               interval_ns > skip_ns ? interval_ns : skip_ns);
    timer_set(load, start_ns);
}

static void totals_collect(struct load *load)
{
    struct load_result *result = load->result;
    const struct scenario *scenario = &load->config->scenario;

    result->planned = (uint64_t)((unsigned __int128)result->window_ns * scenario->rate *
                                 scenario->topics / second_ns);
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

    if (failed == 0) {
        failed = connect_all(load, error);
        if (failed != 0) {
            return failed;
        }
        failed = process_usage_read(server, &load->result->server.connected);
    }
    if (failed == 0) {
        load_start(load);
        load_loop(load);
        failed = load->failed;
    }
    if (failed != 0) {
        snprintf(error, TRANSPORT_ERROR_SIZE, "the server's process has ended");
        return failed;
    }
    totals_collect(load);
    return 0;
}

int load_run(const struct load_config *config, struct load_result *ret_result,
             char error[static TRANSPORT_ERROR_SIZE])
{
    struct load load = {.config = config, .result = ret_result, .epoll_fd = -1, .timer_fd = -1};

    *ret_result = (struct load_result){.window_ns = 0};
    int failed = load_init(&load, error);

    if (failed == 0) {
        failed = load_measure(&load, error);
    }
    load_deinit(&load);
    return failed;
}
