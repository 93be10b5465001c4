/* GET /metrics: the counters of all workers by their table, what topics do, and the process. What
 * it costs depends on the number of topics with a row, not on that of connections. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "server/admin/admin.h"
#include "server/admin/topic_rows.h"
#include "server/stats/exposition.h"
#include "server/tls/tls_slot.h"

enum { LABELS_SIZE = EXPOSITION_LABEL_BYTES + 64 };

static void write_one(struct exposition *out, enum exposition_type type, const char *name,
                      const char *help, uint64_t value)
{
    exposition_family(out, type, name, help);
    exposition_integer(out, "", value);
}

static void write_counters(struct exposition *out, const struct worker_group *group)
{
    struct counters sum = {0};

    for (unsigned i = 0; i < group->workers_count; i++) {
        counters_accumulate(&sum, &group->workers[i].counters);
    }
    for (unsigned i = 0; i < COUNTERS_COUNT; i++) {
        const struct counters_metric *metric = &counters_metrics[i];
        const _Atomic uint64_t *counter = (const void *)((const char *)&sum + metric->offset);

        if (i == 0 || strcmp(metric->family, counters_metrics[i - 1].family) != 0) {
            exposition_family(out, EXPOSITION_COUNTER, metric->family, metric->help);
        }
        exposition_integer(out, metric->labels,
                           atomic_load_explicit(counter, memory_order_relaxed));
    }
    write_one(out, EXPOSITION_COUNTER, "log_lines_lost", "Log lines dropped because none took them",
              log_lines_lost());
}

static void write_histograms(struct exposition *out, const struct worker_group *group)
{
    struct histogram turns = {0}, deliveries = {0};

    for (unsigned i = 0; i < group->workers_count; i++) {
        histogram_accumulate(&turns, &group->workers[i].turns);
        histogram_accumulate(&deliveries, &group->workers[i].deliveries);
    }
    exposition_family(out, EXPOSITION_HISTOGRAM, "turn_seconds",
                      "Turns of the event loops, from waking until all sends are ready");
    exposition_histogram(out, &turns);
    exposition_family(out, EXPOSITION_HISTOGRAM, "delivery_seconds",
                      "From the receipt of a message until the kernel took it for one viewer, "
                      "in steps of 1 ms");
    exposition_histogram(out, &deliveries);
}

static void write_memory(struct exposition *out, const struct worker *worker)
{
    const struct worker_group *group = worker->group;
    uint64_t left = 0;

    for (unsigned i = 0; i < group->workers_count; i++) {
        left += worker_memory_left(worker, i);
    }
    write_one(out, EXPOSITION_GAUGE, "message_memory_bytes", "Memory for messages of all workers",
              group->message_bytes_max * group->workers_count);
    write_one(out, EXPOSITION_GAUGE, "message_memory_free_bytes",
              "Memory for messages that is not used", left);
}

static void write_state(struct exposition *out, struct conn *conn)
{
    struct conn_shared *shared = conn->table->shared;
    const struct access_context *access = &shared->access;

    write_one(out, EXPOSITION_GAUGE, "workers", "Event loops", conn->worker->group->workers_count);
    write_one(out, EXPOSITION_GAUGE, "connections", "Open connections of all kinds",
              atomic_load(&shared->connections));
    write_one(out, EXPOSITION_GAUGE, "connections_max", "Connections at a time that there may be",
              shared->connections_max);
    write_one(out, EXPOSITION_GAUGE, "websockets", "Open WebSockets", places_count(access->places));
    write_one(out, EXPOSITION_GAUGE, "topics", "Topics that are in use",
              topic_registry_count(shared->topics) - 1); /* less our own */
    write_one(out, EXPOSITION_GAUGE, "codes_unused", "One-time codes that were not used yet",
              code_store_count(access->codes));
    write_one(out, EXPOSITION_GAUGE, "denied_bookings", "Bookings that are denied",
              bookings_count(access->bookings, BOOKINGS_DENIED));
    write_one(out, EXPOSITION_GAUGE, "draining", "1 while the relay stops",
              atomic_load(&shared->access.is_draining));
    write_memory(out, conn->worker);
}

static void write_certificate(struct exposition *out, struct tls_slot *slot)
{
    struct tls_context *context = slot == NULL ? NULL : tls_slot_get(slot);

    if (context != NULL) {
        write_one(out, EXPOSITION_GAUGE, "tls_certificate_not_after_seconds",
                  "When the first certificate expires, since 1970",
                  (uint64_t)tls_context_expires_s(context));
        tls_context_unref(context);
    }
}

static void write_build(struct exposition *out, const struct conn_shared *shared)
{
    char labels[LABELS_SIZE];

    snprintf(labels, sizeof labels, "version=\"%s\",tls=\"%s\"", RELAY_VERSION,
             shared->tls == NULL ? "none"
             : shared->ktls.any  ? "kernel"
                                 : "user");
    exposition_family(out, EXPOSITION_GAUGE, "build_info",
                      "The program, and who makes TLS records");
    exposition_integer(out, labels, 1);
}

/* Counters of topics that stand in a family: the labels of the topic, then its own. */
static void write_topic_counter(struct exposition *out, const struct topic_rows *rows,
                                const struct counters_metric *metric)
{
    for (unsigned i = 0; i < rows->count; i++) {
        const struct topic_row *row = &rows->rows[i];
        const _Atomic uint64_t *counter =
            (const void *)((const char *)&row->counts + metric->offset);
        char topic[EXPOSITION_LABEL_BYTES], labels[LABELS_SIZE];

        exposition_label("topic", row->name, topic);
        snprintf(labels, sizeof labels, "%s%s%s", topic, metric->labels[0] == '\0' ? "" : ",",
                 metric->labels);
        exposition_integer(out, labels, atomic_load_explicit(counter, memory_order_relaxed));
    }
}

static const struct counters_metric topic_metrics[] = {
#define TOPIC_METRIC(name, metric_family, metric_labels, metric_help)                              \
    {.family = (metric_family),                                                                    \
     .labels = (metric_labels),                                                                    \
     .help = (metric_help),                                                                        \
     .offset = offsetof(struct topic_counts, name)},
    TOPIC_COUNTERS(TOPIC_METRIC)
#undef TOPIC_METRIC
};

static const struct counters_metric topic_gauges[] = {
    {"topic_viewers", "", "Viewers, by topic", offsetof(struct topic_counts, viewers)},
    {"topic_publishers", "", "Connections that may publish, by topic",
     offsetof(struct topic_counts, publishers)},
};

static void write_ages(struct exposition *out, const struct topic_rows *rows, uint64_t now_ms)
{
    exposition_family(out, EXPOSITION_GAUGE, "topic_last_message_age_seconds",
                      "Age of the newest message, by topic");
    for (unsigned i = 0; i < rows->count; i++) {
        char topic[EXPOSITION_LABEL_BYTES];
        uint64_t age_ms;

        if (topic_rows_age_ms(&rows->rows[i], now_ms, &age_ms)) {
            exposition_label("topic", rows->rows[i].name, topic);
            exposition_thousandths(out, topic, age_ms);
        }
    }
}

static void write_topics(struct exposition *out, const struct topic_rows *rows, uint64_t now_ms)
{
    for (size_t i = 0; i < ARRAY_LENGTH(topic_metrics); i++) {
        const struct counters_metric *metric = &topic_metrics[i];

        if (i == 0 || strcmp(metric->family, topic_metrics[i - 1].family) != 0) {
            exposition_family(out, EXPOSITION_COUNTER, metric->family, metric->help);
        }
        write_topic_counter(out, rows, metric);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(topic_gauges); i++) {
        exposition_family(out, EXPOSITION_GAUGE, topic_gauges[i].family, topic_gauges[i].help);
        write_topic_counter(out, rows, &topic_gauges[i]);
    }
    write_ages(out, rows, now_ms);
}

static uint64_t resident_bytes(void)
{
    char text[128] = "";
    unsigned long long total, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file == NULL) {
        return 0;
    }
    if (fgets(text, sizeof text, file) == NULL ||
        sscanf(text, "%llu %llu", &total, &resident) < 2) {
        resident = 0;
    }
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t cpu_ms(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

/* Counting the entries of the folder would cost a millisecond for thousands of them; kernels from
 * 6.2 on have the number in its size. */
static void write_descriptors(struct exposition *out)
{
    struct stat folder;
    struct rlimit limit;

    if (stat("/proc/self/fd", &folder) == 0 && folder.st_size > 0) {
        write_one(out, EXPOSITION_GAUGE, "process_open_fds", "Open file descriptors",
                  (uint64_t)folder.st_size);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        write_one(out, EXPOSITION_GAUGE, "process_max_fds", "Limit of open file descriptors",
                  limit.rlim_cur);
    }
}

static void write_process(struct exposition *out, const struct conn_shared *shared)
{
    exposition_family(out, EXPOSITION_COUNTER, "process_cpu_seconds", "CPU time");
    exposition_thousandths(out, "", cpu_ms());
    write_one(out, EXPOSITION_GAUGE, "process_start_time_seconds", "Start, since 1970",
              (uint64_t)shared->started_s);
    write_one(out, EXPOSITION_GAUGE, "process_resident_memory_bytes", "Resident memory",
              resident_bytes());
    write_descriptors(out);
}

/* Only by name: everything else gets the older format, which all can read. */
static bool wants_openmetrics(const struct http_request *request)
{
    struct bytes accept = {0};

    return http_request_field(request, "Accept", &accept) &&
           memmem(accept.data, accept.len, "application/openmetrics-text",
                  strlen("application/openmetrics-text")) != NULL;
}

void admin_metrics_get(struct conn *conn, struct access_call *call, struct access_reply *reply)
{
    struct conn_shared *shared = conn->table->shared;
    struct topic_rows *rows = topic_rows_copy(shared->topics);
    struct exposition out;

    exposition_init(&out, wants_openmetrics(call->request));
    if (rows != NULL) {
        write_build(&out, shared);
        write_state(&out, conn);
        write_certificate(&out, shared->tls);
        write_counters(&out, conn->worker->group);
        write_histograms(&out, conn->worker->group);
        write_topics(&out, rows, conn->worker->now_ms);
        write_process(&out, shared);
        exposition_end(&out);
    }
    free(rows);
    if (rows == NULL || out.failed) {
        free(out.text);
        access_reply_error(reply, 503, "out of memory");
        return;
    }
    access_reply_long(reply, 200,
                      out.is_openmetrics ? EXPOSITION_OPENMETRICS : EXPOSITION_PROMETHEUS, out.text,
                      out.len);
}
