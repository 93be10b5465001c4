#include "server/report/report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/conn/transport.h"
#include "server/hub/fanout.h"
#include "server/websocket/phase_websocket.h"

enum {
    REPORT_MIN_INTERVAL_MS = 1000,
    COMMAND_BYTES_MAX = 1024,
    TIME_SIZE = 32,
    DURATION_SIZE = 48,
    FIGURES_SIZE = 128,
    ELEMENT_SIZE = 4096,
    PART_SIZE_MIN = 16384,
};

/* A byte of a text takes six at most ("\u0001"); the rest of an element is a few hundred. */
_Static_assert((TOPIC_NAME_SIZE + sizeof((struct phase_websocket){0}.user_agent) +
                sizeof((struct phase_websocket){0}.reported_address)) *
                           6 +
                       PERMISSION_SCOPES_SIZE + 700 <
                   ELEMENT_SIZE,
               "an element fits");
_Static_assert((int)REPORT_BYTES_MAX + (int)ELEMENT_SIZE + (int)HTTP_RESPONSE_HEAD_MAX <=
                   (int)MESSAGE_BYTES_MAX,
               "a report fits a message, and an answer");

/* A request for GET /status that waits. Its memory is of the worker that was asked; it travels to
 * the first worker and back. */
struct report_ask {
    struct call call;
    struct report_ask *next;
    struct worker *asker;
    struct deferred_ticket ticket;
    struct report *report; /* the answer, or NULL: */
    const char *refusal;
};

/* One report. The first worker begins and ends it; each worker writes a part, piece by piece. */
struct report {
    enum report_shape shape;
    struct call finish;
    struct report_ask *asks;
    _Atomic unsigned pending; /* parts that are being written */
    _Atomic unsigned unread;  /* asks whose workers need the text */
    _Atomic size_t parts_len; /* of all parts, and what found no place */
    _Atomic bool is_cut;      /* REPORT_BYTES_MAX or memory: elements are missing */
    char *text;               /* of all, for REPORT_STATUS; NULL: memory was out */
    size_t len;
    unsigned parts_count;
    struct report_part {
        struct call call;
        struct report *report;
        uint32_t next_slot; /* of the worker's table */
        char *text;         /* elements, each followed by a comma */
        size_t len, size;
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

static void write_direction(struct json_writer *out, const struct direction *direction,
                            uint64_t now_ms)
{
    char last[DURATION_SIZE], figures[FIGURES_SIZE];
    double mean_bytes = 0;
    double fps = 0;

    if (direction->messages == 0) {
        json_writer_raw(out, "{\"last\":\"Never\",\"size\":0,\"fps\":0}");
        return;
    }
    format_duration(now_ms > direction->last_ms ? now_ms - direction->last_ms : 0, last);
    mean_bytes = (double)direction->bytes / (double)direction->messages;
    if (direction->last_ms > direction->first_ms) {
        fps = (double)(direction->messages - 1) * 1000.0 /
              (double)(direction->last_ms - direction->first_ms);
    }
    snprintf(figures, sizeof figures, "{\"last\":\"%s\",\"size\":%.0f,\"fps\":%.3f}", last,
             mean_bytes, fps);
    json_writer_raw(out, figures);
}

/* The content of one element, of a connection or of the relay itself. */
struct subject {
    const char *topic, *scopes_json, *remote_address, *user_agent;
    const char *tls; /* who makes the records, or "" */
    bool can_read, can_write;
    int64_t connected_s, expires_s;
    struct direction sent, received; /* by the client */
};

/* key: with everything that stands around it. */
static void write_text(struct json_writer *out, const char *key, const char *text)
{
    json_writer_raw(out, key);
    json_writer_text(out, text);
}

static void write_time(struct json_writer *out, const char *key, int64_t time_s)
{
    char text[TIME_SIZE];

    format_time(time_s, text);
    write_text(out, key, text);
}

static void write_text_unless_empty(struct json_writer *out, const char *key, const char *text)
{
    if (text[0] != '\0') {
        write_text(out, key, text);
    }
}

static void write_topic_element(struct json_writer *out, const struct subject *subject,
                                uint64_t now_ms)
{
    json_writer_raw(out, "{\"canRead\":");
    json_writer_boolean(out, subject->can_read);
    json_writer_raw(out, ",\"canWrite\":");
    json_writer_boolean(out, subject->can_write);
    write_time(out, ",\"connected\":", subject->connected_s);
    write_time(out, ",\"expiresAt\":", subject->expires_s);
    write_text(out, ",\"remoteAddr\":", subject->remote_address);
    json_writer_raw(out, ",\"scopes\":");
    json_writer_raw(out, subject->scopes_json);
    json_writer_raw(out, ",\"stats\":{\"tx\":");
    write_direction(out, &subject->sent, now_ms);
    json_writer_raw(out, ",\"rx\":");
    write_direction(out, &subject->received, now_ms);
    write_text(out, "},\"topic\":", subject->topic);
    write_text(out, ",\"userAgent\":", subject->user_agent);
    write_text_unless_empty(out, ",\"tls\":", subject->tls); /* behind the keys that clients know */
    json_writer_raw(out, "},");
}

/* Go's omitempty: false and "" are left out, the times and scopes never are empty. */
static void write_status_element(struct json_writer *out, const struct subject *subject)
{
    json_writer_raw(out, "{");
    json_writer_raw(out, subject->can_read ? "\"can_read\":true," : "");
    json_writer_raw(out, subject->can_write ? "\"can_write\":true," : "");
    write_time(out, "\"connected_at\":", subject->connected_s);
    write_time(out, ",\"expires_at\":", subject->expires_s);
    write_text_unless_empty(out, ",\"remote_addr\":", subject->remote_address);
    json_writer_raw(out, ",\"scopes\":");
    json_writer_raw(out, subject->scopes_json);
    write_text_unless_empty(out, ",\"tls\":", subject->tls);
    write_text_unless_empty(out, ",\"topic\":", subject->topic);
    write_text_unless_empty(out, ",\"user_agent\":", subject->user_agent);
    json_writer_raw(out, "},");
}

static void write_subject(struct json_writer *out, enum report_shape shape,
                          const struct subject *subject, uint64_t now_ms)
{
    if (shape == REPORT_TOPIC) {
        write_topic_element(out, subject, now_ms);
    } else {
        write_status_element(out, subject);
    }
}

static void write_conn(struct json_writer *out, enum report_shape shape, const struct conn *conn)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);
    const struct subject subject = {
        .topic = ws->topic->name,
        .scopes_json = ws->scopes_json,
        .remote_address = conn->table->shared->config->privacy ? "" : ws->reported_address,
        .user_agent = ws->user_agent,
        .tls = conn->transport->text,
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
static void write_self(struct json_writer *out, enum report_shape shape,
                       const struct conn_shared *shared)
{
    const struct subject subject = {
        .topic = STATS_TOPIC,
        .scopes_json = "[\"read\",\"stats\",\"write\"]",
        .remote_address = "internal",
        .user_agent = "crossbar",
        .tls = "",
        .can_read = true,
        .can_write = true,
        .connected_s = shared->started_s,
    };

    write_subject(out, shape, &subject, 0);
}

static bool reserve(struct report_part *part, size_t len)
{
    size_t size = part->size == 0 ? PART_SIZE_MIN : part->size;

    while (size - part->len < len) {
        size *= 2;
    }
    if (size == part->size) {
        return true;
    }
    char *text = realloc(part->text, size);

    if (text == NULL) {
        return false;
    }
    part->text = text;
    part->size = size;
    return true;
}

/* The element or nothing of it. */
static void append(struct report_part *part, const struct json_writer *element)
{
    struct report *report = part->report;
    size_t before = atomic_fetch_add(&report->parts_len, element->len);

    if (before + element->len > REPORT_BYTES_MAX || !reserve(part, element->len)) {
        atomic_store(&report->is_cut, true);
        return;
    }
    memcpy(part->text + part->len, element->data, element->len);
    part->len += element->len;
}

/* The next connections in the order of their places in the table, which stay the same while others
 * come and go: who is connected all the time is met once. False: there are more. */
static bool write_piece(const struct conn_table *table, struct report_part *part)
{
    uint32_t end = part->next_slot + REPORT_SLOTS_PER_TURN;

    for (; part->next_slot < table->conns_made; part->next_slot++) {
        const struct conn *conn = &table->conns[part->next_slot];
        char text[ELEMENT_SIZE];
        struct json_writer element;

        if (part->next_slot == end) {
            return false;
        }
        if (conn->phase == PHASE_WEBSOCKET) {
            json_writer_init(&element, text, sizeof text);
            write_conn(&element, part->report->shape, conn);
            CHECK(!element.overflow);
            append(part, &element);
        }
        if (atomic_load_explicit(&part->report->is_cut, memory_order_relaxed)) {
            return true;
        }
    }
    return true;
}

static size_t whole_len(const struct report *report)
{
    size_t len = ELEMENT_SIZE; /* of the relay itself, with what stands around all */

    for (unsigned i = 0; i < report->parts_count; i++) {
        len += report->parts[i].len;
    }
    return len;
}

/* text: whole_len bytes. Returns how many were used. */
static size_t assemble(const struct report *report, const struct conn_shared *shared, char *text)
{
    struct json_writer self;
    size_t len = 0;

    text[len++] = '[';
    for (unsigned i = 0; i < report->parts_count; i++) {
        if (report->parts[i].len > 0) {
            memcpy(text + len, report->parts[i].text, report->parts[i].len);
            len += report->parts[i].len;
        }
    }
    json_writer_init(&self, text + len, ELEMENT_SIZE - 1);
    write_self(&self, report->shape, shared);
    CHECK(!self.overflow);
    len += self.len;
    text[len - 1] = ']'; /* in place of the last comma */
    return len;
}

static void destroy(struct report *report)
{
    for (unsigned i = 0; i < report->parts_count; i++) {
        free(report->parts[i].text);
    }
    free(report->text);
    free(report);
}

static void run_on(struct worker *worker, struct worker *target, struct call *call)
{
    if (worker == target) {
        call->run(worker, call);
    } else {
        worker_call(worker, target, call);
    }
}

/* One that lacks elements is better than none: viewers of the topic know no other answer. */
static void publish(struct worker *worker, const struct conn_shared *shared, struct report *report)
{
    struct message *message = message_create(worker, whole_len(report));

    if (message == NULL) {
        counters_increment(&worker->counters, messages_dropped_memory);
        worker_alarm(worker, ALARM_MESSAGE_MEMORY);
    } else {
        message->payload_len = (uint32_t)assemble(report, shared, (char *)message->payload);
        message->received_ms = worker->now_ms;
        message_frame(message, WS_OPCODE_TEXT);
        fanout_publish(worker, shared->stats_topic, message, NULL, &shared->bounds);
    }
    destroy(report);
}

/* Missing elements, and a lack of memory, are told to the client. */
static void answer(const struct report_ask *ask)
{
    const struct report *report = ask->report;
    struct access_reply reply = {0};

    if (report == NULL) {
        access_reply_error(&reply, 503, ask->refusal);
    } else if (report->text == NULL) {
        access_reply_error(&reply, 503, "out of memory");
    } else if (report->is_cut) {
        access_reply_error(&reply, 503, "the answer is too long");
    } else {
        access_reply_long(&reply, 200, "application/json", report->text, report->len);
        reply.long_body_is_shared = true;
    }
    deferred_finish(ask->ticket, &reply);
}

static void run_answer(struct worker *worker, struct call *call)
{
    struct report_ask *ask = container_of(call, struct report_ask, call);
    struct conn_table *table = worker->context;

    CHECK(table->deferred > 0);
    table->deferred--;
    if (deferred_is_wanted(ask->ticket)) {
        answer(ask);
    }
    if (ask->report != NULL && atomic_fetch_sub(&ask->report->unread, 1) == 1) {
        destroy(ask->report);
    }
    block_pool_put(&worker->requests, ask);
}

static void refuse(struct worker *worker, struct report_ask *ask, const char *refusal)
{
    ask->refusal = refusal;
    ask->call.run = run_answer;
    run_on(worker, ask->asker, &ask->call);
}

/* The last of them destroys the report, which may be before this returns. */
static void answer_all(struct worker *worker, const struct conn_shared *shared,
                       struct report *report)
{
    struct report_ask *ask = report->asks;

    report->text = malloc(whole_len(report));
    if (report->text != NULL) {
        report->len = assemble(report, shared, report->text);
        report->text[report->len++] = '\n';
    }
    for (const struct report_ask *each = ask; each != NULL; each = each->next) {
        atomic_fetch_add(&report->unread, 1);
    }
    while (ask != NULL) {
        struct report_ask *next = ask->next;

        ask->report = report;
        ask->call.run = run_answer;
        run_on(worker, ask->asker, &ask->call);
        ask = next;
    }
}

static void begin(struct worker *worker, enum report_shape shape);

static void run_finish(struct worker *worker, struct call *call)
{
    struct report *report = container_of(call, struct report, finish);
    struct conn_table *table = worker->context;
    enum report_shape shape = report->shape;

    table->reports[shape].current = NULL;
    if (report->is_cut) {
        counters_increment(&worker->counters, reports_cut);
        worker_alarm(worker, ALARM_REPORT_CUT);
    }
    if (shape == REPORT_STATUS) {
        answer_all(worker, table->shared, report);
    } else {
        publish(worker, table->shared, report);
    }
    if (table->reports[shape].is_wanted) {
        begin(worker, shape);
    }
    CHECK(table->deferred > 0);
    table->deferred--;
}

static void run_part(struct worker *worker, struct call *call)
{
    struct report_part *part = container_of(call, struct report_part, call);
    struct report *report = part->report;

    if (!write_piece(worker->context, part)) {
        worker_call(worker, worker, call); /* in its next turn */
    } else if (atomic_fetch_sub(&report->pending, 1) == 1) {
        run_on(worker, &worker->group->workers[0], &report->finish);
    }
}

static void refuse_all(struct worker *worker, struct report_ask *ask)
{
    while (ask != NULL) {
        struct report_ask *next = ask->next;

        refuse(worker, ask, "out of memory");
        ask = next;
    }
}

static void begin(struct worker *worker, enum report_shape shape)
{
    struct worker_group *group = worker->group;
    struct conn_table *table = worker->context;
    struct report_line *line = &table->reports[shape];
    struct report_ask *asks = line->asks;
    struct report *report =
        calloc(1, sizeof *report + group->workers_count * sizeof report->parts[0]);

    line->asks = NULL;
    line->asks_count = 0;
    line->is_wanted = false;
    if (report == NULL) {
        refuse_all(worker, asks);
        return;
    }
    line->current = report;
    table->deferred++; /* the workers turn until it is done */
    report->shape = shape;
    report->asks = asks;
    report->finish.run = run_finish;
    report->parts_count = group->workers_count;
    atomic_store(&report->pending, group->workers_count);
    for (unsigned i = 0; i < report->parts_count; i++) {
        report->parts[i].report = report;
        report->parts[i].call.run = run_part;
        if (i != worker->index) {
            worker_call(worker, &group->workers[i], &report->parts[i].call);
        }
    }
    run_part(worker, &report->parts[worker->index].call);
}

/* On the first worker. A report that is being made may have passed connections that have come
 * since: who asks meanwhile gets the next one, and all of them the same. */
static void want(struct worker *worker, enum report_shape shape)
{
    struct conn_table *table = worker->context;

    table->reports[shape].is_wanted = true;
    if (table->reports[shape].current == NULL) {
        begin(worker, shape);
    }
}

static void run_ask(struct worker *worker, struct call *call)
{
    struct report_ask *ask = container_of(call, struct report_ask, call);
    struct conn_table *table = worker->context;
    struct report_line *line = &table->reports[REPORT_STATUS];

    if (line->asks_count == REPORT_ASKS_MAX) {
        counters_increment(&worker->counters, reports_refused);
        worker_alarm(worker, ALARM_REPORTS);
        refuse(worker, ask, "too many requests for the status, try again later");
        return;
    }
    ask->next = line->asks;
    line->asks = ask;
    line->asks_count++;
    want(worker, REPORT_STATUS);
}

bool report_for_request(struct conn *conn, deferred_answer_fn *answer_fn)
{
    struct worker *worker = conn->worker;
    struct report_ask *ask = block_pool_take(&worker->requests, sizeof *ask);

    if (ask == NULL) {
        counters_increment(&worker->counters, http_refused_memory);
        worker_alarm(worker, ALARM_REQUEST_MEMORY);
        return false;
    }
    *ask = (struct report_ask){.asker = worker, .ticket = deferred_begin(conn, answer_fn)};
    ask->call.run = run_ask;
    conn->table->deferred++;
    run_on(worker, &worker->group->workers[0], &ask->call);
    return true;
}

static void report_now(struct conn_table *table)
{
    table->report_last_ms = table->worker->now_ms;
    if (atomic_load(&table->shared->stats_topic->interested) != 0) {
        want(table->worker, REPORT_TOPIC);
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
