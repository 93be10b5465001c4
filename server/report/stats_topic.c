#include "server/report/stats_topic.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "server/hub/fanout.h"
#include "server/report/report.h"

enum { REPORT_MIN_INTERVAL_MS = 1000, COMMAND_BYTES_MAX = 1024 };

/* One that lacks elements is better than none: viewers of the topic know no other answer. */
static void publish(struct worker *worker, struct report *report)
{
    const struct conn_table *table = worker->context;
    const struct conn_shared *shared = table->shared;
    struct message *message = message_create(worker, report_room(report));

    if (message == NULL) {
        counters_increment(&worker->counters, messages_dropped_memory);
        worker_alarm(worker, ALARM_MESSAGE_MEMORY);
    } else {
        message->payload_len = (uint32_t)report_assemble(report, shared, (char *)message->payload);
        message->received_ms = worker->now_ms;
        message_frame(message, WS_OPCODE_TEXT);
        fanout_publish(worker, shared->stats_topic, message, NULL, &shared->bounds);
    }
    report_destroy(report);
}

static void publish_now(struct conn_table *table)
{
    table->report_last_ms = table->worker->now_ms;
    if (atomic_load(&table->shared->stats_topic->interested) != 0) {
        report_want(table->worker, REPORT_TOPIC, publish);
    }
}

static void on_due(struct timer *timer)
{
    struct conn_table *table = container_of(timer, struct conn_table, report_timer);

    publish_now(table);
    timer_arm(&table->worker->timers, timer,
              table->worker->now_ms + (uint64_t)table->shared->config->stats_every_ms);
}

void stats_topic_start(struct conn_table *table)
{
    CHECK(table->worker->index == 0);
    timer_init(&table->report_timer, on_due);
    timer_arm(&table->worker->timers, &table->report_timer,
              table->worker->now_ms + (uint64_t)table->shared->config->stats_every_ms);
}

void stats_topic_stop(struct conn_table *table)
{
    timer_disarm(&table->report_timer);
}

/* Brings the next report forward, but not closer than REPORT_MIN_INTERVAL_MS to the last. */
static void run_update(struct worker *worker, struct call *call)
{
    struct conn_table *table = worker->context;
    uint64_t due_ms = table->report_last_ms + REPORT_MIN_INTERVAL_MS;

    atomic_store(&table->shared->update_asked, false);
    free(call);
    if (worker->stopping) {
        return;
    }
    if (due_ms <= worker->now_ms) {
        publish_now(table);
    } else if (!table->report_timer.armed || table->report_timer.due_ms > due_ms) {
        timer_arm(&worker->timers, &table->report_timer, due_ms);
    }
}

static bool is_update(struct bytes payload)
{
    json_error_t error;

    if (payload.len > COMMAND_BYTES_MAX) {
        return false;
    }
    json_t *root =
        json_loadb((const char *)payload.data, payload.len, JSON_REJECT_DUPLICATES, &error);
    const char *command = json_string_value(json_object_get(root, "cmd"));
    bool found = command != NULL && strcmp(command, "update") == 0;

    json_decref(root);
    return found;
}

void stats_topic_on_command(struct worker *worker, struct bytes payload)
{
    struct worker *first = &worker->group->workers[0];
    struct conn_table *table = worker->context;

    /* However many ask, one letter is in flight at a time. */
    if (!is_update(payload) || atomic_exchange(&table->shared->update_asked, true)) {
        return;
    }
    struct call *call = calloc(1, sizeof *call);

    if (call == NULL) {
        atomic_store(&table->shared->update_asked, false);
        return; /* the periodic report comes anyway */
    }
    call->run = run_update;
    if (worker == first) {
        run_update(worker, call);
    } else {
        worker_call(worker, first, call);
    }
}
