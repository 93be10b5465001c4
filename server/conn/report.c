#include "server/conn/report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/conn/control.h"

enum {
    REPORT_MIN_INTERVAL_MS = 1000,
    COMMAND_BYTES_MAX = 1024,
    TIME_SIZE = 32,
    DURATION_SIZE = 48
};

/* The two shapes clients know: the topic's (all keys, camelCase) and /status's (snake_case, empty
 * ones left out). */
enum report_shape { REPORT_TOPIC, REPORT_STATUS };

struct report {
    enum report_shape shape;
    struct worker *asker;
    struct control_ticket ticket; /* REPORT_STATUS */
    struct call finish;
    _Atomic unsigned pending;
    unsigned parts_count;
    struct report_part {
        struct call call;
        struct report *report;
        char *text; /* malloc'ed: elements, each followed by a comma */
        size_t len;
    } parts[];
};

struct direction {
    uint64_t messages, bytes;
    uint64_t first_ms, last_ms;
};

static void format_time(int64_t time_s, char text[static TIME_SIZE])
{
    time_t seconds = (time_t)time_s;
    struct tm utc;

    gmtime_r(&seconds, &utc);
    strftime(text, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* As Go prints a duration: 1h2m3.5s, 1.2s, 15ms. */
static void format_duration(uint64_t ms, char text[static DURATION_SIZE])
{
    char fraction[8] = "";
    uint64_t seconds = ms / 1000;

    if (ms < 1000) {
        snprintf(text, DURATION_SIZE, ms == 0 ? "0s" : "%llums", (unsigned long long)ms);
        return;
    }
    if (ms % 1000 != 0) {
        snprintf(fraction, sizeof fraction, ".%03u", (unsigned)(ms % 1000));
        for (size_t end = strlen(fraction); fraction[end - 1] == '0'; end--) {
            fraction[end - 1] = '\0';
        }
    }
    if (seconds >= 3600) {
        snprintf(text, DURATION_SIZE, "%lluh%um%u%ss", (unsigned long long)(seconds / 3600),
                 (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60), fraction);
    } else if (seconds >= 60) {
        snprintf(text, DURATION_SIZE, "%um%u%ss", (unsigned)(seconds / 60),
                 (unsigned)(seconds % 60), fraction);
    } else {
        snprintf(text, DURATION_SIZE, "%u%ss", (unsigned)seconds, fraction);
    }
}

static void write_direction(FILE *out, const char *name, const struct direction *direction,
                            uint64_t now_ms)
{
    char last[DURATION_SIZE];
    double mean_bytes = 0;
    double fps = 0;

    if (direction->messages == 0) {
        fprintf(out, "\"%s\":{\"last\":\"Never\",\"size\":0,\"fps\":0}", name);
        return;
    }
    format_duration(now_ms > direction->last_ms ? now_ms - direction->last_ms : 0, last);
    mean_bytes = (double)direction->bytes / (double)direction->messages;
    if (direction->last_ms > direction->first_ms) {
        fps = (double)(direction->messages - 1) * 1000.0 /
              (double)(direction->last_ms - direction->first_ms);
    }
    fprintf(out, "\"%s\":{\"last\":\"%s\",\"size\":%.0f,\"fps\":%.3f}", name, last, mean_bytes,
            fps);
}

/* What one element says, from a connection or from the relay itself. */
struct subject {
    const char *topic, *scopes_json, *remote_address, *user_agent;
    bool can_read, can_write;
    int64_t connected_s, expires_s;
    struct direction sent, received; /* by the client */
};

static void quote(FILE *out, const char *text)
{
    char quoted[2048];
    struct json_writer json;

    json_writer_init(&json, quoted, sizeof quoted);
    json_writer_text(&json, text);
    fputs(json.overflow ? "\"\"" : quoted, out);
}

static const char *boolean(bool value)
{
    return value ? "true" : "false";
}

static void write_topic_element(FILE *out, const struct subject *subject, uint64_t now_ms)
{
    char connected[TIME_SIZE], expires[TIME_SIZE];

    format_time(subject->connected_s, connected);
    format_time(subject->expires_s, expires);
    fprintf(out, "{\"canRead\":%s,\"canWrite\":%s,\"connected\":\"%s\",\"expiresAt\":\"%s\",",
            boolean(subject->can_read), boolean(subject->can_write), connected, expires);
    fprintf(out, "\"remoteAddr\":");
    quote(out, subject->remote_address);
    fprintf(out, ",\"scopes\":%s,\"stats\":{", subject->scopes_json);
    write_direction(out, "tx", &subject->sent, now_ms);
    fputc(',', out);
    write_direction(out, "rx", &subject->received, now_ms);
    fprintf(out, "},\"topic\":");
    quote(out, subject->topic);
    fprintf(out, ",\"userAgent\":");
    quote(out, subject->user_agent);
    fprintf(out, "},");
}

static void write_text_unless_empty(FILE *out, const char *key, const char *text)
{
    if (text[0] != '\0') {
        fprintf(out, ",\"%s\":", key);
        quote(out, text);
    }
}

/* Go's omitempty: false and "" are left out, the times and scopes never are empty. */
static void write_status_element(FILE *out, const struct subject *subject)
{
    char connected[TIME_SIZE], expires[TIME_SIZE];

    format_time(subject->connected_s, connected);
    format_time(subject->expires_s, expires);
    fprintf(out, "{%s%s\"connected_at\":\"%s\",\"expires_at\":\"%s\"",
            subject->can_read ? "\"can_read\":true," : "",
            subject->can_write ? "\"can_write\":true," : "", connected, expires);
    write_text_unless_empty(out, "remote_addr", subject->remote_address);
    fprintf(out, ",\"scopes\":%s", subject->scopes_json);
    write_text_unless_empty(out, "topic", subject->topic);
    write_text_unless_empty(out, "user_agent", subject->user_agent);
    fprintf(out, "},");
}

static void write_subject(FILE *out, enum report_shape shape, const struct subject *subject,
                          uint64_t now_ms)
{
    if (shape == REPORT_TOPIC) {
        write_topic_element(out, subject, now_ms);
    } else {
        write_status_element(out, subject);
    }
}

static void write_conn(FILE *out, enum report_shape shape, const struct conn *conn)
{
    const struct phase_websocket *ws = &conn->in.websocket;
    const struct subject subject = {
        .topic = ws->topic->name,
        .scopes_json = ws->scopes_json,
        .remote_address = ws->reported_address,
        .user_agent = ws->user_agent,
        .can_read = ws->can_read,
        .can_write = ws->can_write,
        .connected_s = ws->opened_s,
        .expires_s = ws->exp_s,
        .sent = {.messages = ws->messages_received,
                 .bytes = ws->bytes_received,
                 .first_ms = ws->first_received_ms,
                 .last_ms = ws->last_received_ms},
        .received = {.messages = conn->messages_sent,
                     .bytes = conn->subscriber.queue.payload_sent,
                     .first_ms = conn->first_sent_ms,
                     .last_ms = conn->last_sent_ms},
    };

    write_subject(out, shape, &subject, conn->worker->now_ms);
}

/* The relay itself listens on its topic, and clients expect to see it. */
static void write_self(FILE *out, enum report_shape shape, const struct conn_shared *shared)
{
    const struct subject subject = {
        .topic = STATS_TOPIC,
        .scopes_json = "[\"read\",\"stats\",\"write\"]",
        .remote_address = "internal",
        .user_agent = "crossbar",
        .can_read = true,
        .can_write = true,
        .connected_s = shared->started_s,
    };

    write_subject(out, shape, &subject, 0);
}

static void write_part(struct conn_table *table, struct report_part *part)
{
    FILE *out = open_memstream(&part->text, &part->len);

    if (out == NULL) {
        return; /* that worker's connections are missing in this one report */
    }
    list_for_each(node, &table->open)
    {
        const struct conn *conn = container_of(node, struct conn, open_node);

        if (conn->phase == PHASE_WEBSOCKET) {
            write_conn(out, part->report->shape, conn);
        }
    }
    fclose(out);
}

static char *assemble(const struct report *report, const struct conn_shared *shared,
                      size_t *ret_len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_len);

    if (out == NULL) {
        return NULL;
    }
    fputc('[', out);
    for (unsigned i = 0; i < report->parts_count; i++) {
        if (report->parts[i].text != NULL) {
            fwrite(report->parts[i].text, 1, report->parts[i].len, out);
        }
    }
    write_self(out, report->shape, shared);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    text[*ret_len - 1] = ']'; /* in place of the last comma */
    return text;
}

static void destroy(struct report *report)
{
    for (unsigned i = 0; i < report->parts_count; i++) {
        free(report->parts[i].text);
    }
    free(report);
}

static void publish(struct worker *worker, const struct conn_shared *shared, const char *text,
                    size_t len)
{
    struct message *message = len > MESSAGE_BYTES_MAX ? NULL : message_create(worker, len);

    if (message == NULL) {
        counters_increment(&worker->counters, messages_dropped_memory);
        worker_alarm(worker, ALARM_MESSAGE_MEMORY);
        return;
    }
    memcpy(message->payload, text, len);
    message->payload_len = (uint32_t)len;
    message->received_ms = worker->now_ms;
    message_frame(message, WS_OPCODE_TEXT);
    fanout_publish(worker, shared->stats_topic, message, NULL, &shared->bounds);
}

/* text: NULL when memory was out; who waits is answered all the same. */
static void answer(struct report *report, char *text, size_t len)
{
    struct conn *conn = control_claim(report->ticket);
    struct access_reply reply = {0};

    if (conn == NULL) {
        free(text);
        return;
    }
    if (text == NULL) {
        access_reply_error(&reply, 503, "out of memory");
    } else {
        text[len] = '\n'; /* over the terminator, which a body does not need */
        access_reply_long(&reply, 200, "application/json", text, len + 1);
    }
    http_answer_deferred(conn, &reply);
}

static void run_finish(struct worker *worker, struct call *call)
{
    struct report *report = container_of(call, struct report, finish);
    struct conn_table *table = worker->context;
    size_t len = 0;
    char *text = assemble(report, table->shared, &len);

    CHECK(table->deferred > 0);
    table->deferred--;
    if (report->shape == REPORT_STATUS) {
        answer(report, text, len);
    } else if (text != NULL) {
        publish(worker, table->shared, text, len);
        free(text);
    }
    destroy(report);
}

static void run_part(struct worker *worker, struct call *call)
{
    struct report_part *part = container_of(call, struct report_part, call);
    struct report *report = part->report;

    write_part(worker->context, part);
    if (atomic_fetch_sub(&report->pending, 1) > 1) {
        return;
    }
    report->finish.run = run_finish;
    if (report->asker == worker) {
        run_finish(worker, &report->finish);
    } else {
        worker_call(worker, report->asker, &report->finish);
    }
}

static bool begin(struct worker *worker, enum report_shape shape, struct control_ticket ticket)
{
    struct worker_group *group = worker->group;
    struct conn_table *table = worker->context;
    struct report *report =
        calloc(1, sizeof *report + group->workers_count * sizeof report->parts[0]);

    if (report == NULL) {
        return false;
    }
    report->shape = shape;
    report->asker = worker;
    report->ticket = ticket;
    report->parts_count = group->workers_count;
    atomic_store(&report->pending, group->workers_count);
    table->deferred++;
    for (unsigned i = 0; i < report->parts_count; i++) {
        report->parts[i].report = report;
        report->parts[i].call.run = run_part;
        if (i != worker->index) {
            worker_call(worker, &group->workers[i], &report->parts[i].call);
        }
    }
    run_part(worker, &report->parts[worker->index].call);
    return true;
}

bool report_for_request(struct conn *conn)
{
    struct control_ticket ticket = control_ticket(conn);
    bool begun = begin(conn->worker, REPORT_STATUS, ticket);

    if (!begun) {
        conn->in.http.deferred = false;
    }
    return begun;
}

static void report_now(struct conn_table *table)
{
    const struct conn_shared *shared = table->shared;

    table->report_last_ms = table->worker->now_ms;
    if (atomic_load(&shared->stats_topic->interested) != 0) {
        begin(table->worker, REPORT_TOPIC, (struct control_ticket){0});
    }
}

static void on_report_due(struct timer *timer)
{
    struct conn_table *table = container_of(timer, struct conn_table, report_timer);

    report_now(table);
    timer_arm(&table->worker->timers, timer,
              table->worker->now_ms + (uint64_t)table->shared->config->stats_every_ms);
}

void report_start(struct conn_table *table)
{
    CHECK(table->worker->index == 0);
    timer_init(&table->report_timer, on_report_due);
    timer_arm(&table->worker->timers, &table->report_timer,
              table->worker->now_ms + (uint64_t)table->shared->config->stats_every_ms);
}

void report_stop(struct conn_table *table)
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
        report_now(table);
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

void report_on_command(struct worker *worker, struct bytes payload)
{
    struct worker *first = &worker->group->workers[0];

    struct conn_table *table = worker->context;

    /* However many ask, one letter is on its way at a time. */
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
