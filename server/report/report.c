#include "server/report/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "server/report/report_element.h"
#include "wire/http_response.h"

enum { PART_SIZE_MIN = 16384 };

_Static_assert((int)REPORT_BYTES_MAX + (int)REPORT_ELEMENT_SIZE + (int)HTTP_RESPONSE_HEAD_MAX <=
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
    report_done_fn *on_done;
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
 * come and go: a connection that stays is met once. False: there are more. */
static bool write_piece(const struct conn_table *table, struct report_part *part)
{
    uint32_t end = part->next_slot + REPORT_SLOTS_PER_TURN;

    for (; part->next_slot < table->places.made; part->next_slot++) {
        const struct conn *conn = &table->conns[part->next_slot];
        char text[REPORT_ELEMENT_SIZE];
        struct json_writer element;

        if (part->next_slot == end) {
            return false;
        }
        if (conn->phase == PHASE_WEBSOCKET) {
            json_writer_init(&element, text, sizeof text);
            report_element_write_conn(&element, part->report->shape, conn);
            CHECK(!element.overflow);
            append(part, &element);
        }
        if (atomic_load_explicit(&part->report->is_cut, memory_order_relaxed)) {
            return true;
        }
    }
    return true;
}

size_t report_room(const struct report *report)
{
    size_t len = REPORT_ELEMENT_SIZE; /* of the relay itself, with what stands around all */

    for (unsigned i = 0; i < report->parts_count; i++) {
        len += report->parts[i].len;
    }
    return len;
}

size_t report_assemble(const struct report *report, const struct conn_shared *shared, char *text)
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
    json_writer_init(&self, text + len, REPORT_ELEMENT_SIZE - 1);
    report_element_write_self(&self, report->shape, shared);
    CHECK(!self.overflow);
    len += self.len;
    text[len - 1] = ']'; /* in place of the last comma */
    return len;
}

void report_destroy(struct report *report)
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
        report_destroy(ask->report);
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
static void answer_all(struct worker *worker, struct report *report)
{
    const struct conn_table *table = worker->context;
    const struct conn_shared *shared = table->shared;
    struct report_ask *ask = report->asks;

    report->text = malloc(report_room(report));
    if (report->text != NULL) {
        report->len = report_assemble(report, shared, report->text);
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

static void begin(struct worker *worker, enum report_shape shape, report_done_fn *on_done);

static void run_finish(struct worker *worker, struct call *call)
{
    struct report *report = container_of(call, struct report, finish);
    struct conn_table *table = worker->context;
    enum report_shape shape = report->shape;
    report_done_fn *on_done = report->on_done;

    table->reports[shape].current = NULL;
    if (report->is_cut) {
        counters_increment(&worker->counters, reports_cut);
        worker_alarm(worker, ALARM_REPORT_CUT);
    }
    on_done(worker, report);
    if (table->reports[shape].is_wanted) {
        begin(worker, shape, on_done);
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

static void begin(struct worker *worker, enum report_shape shape, report_done_fn *on_done)
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
    report->on_done = on_done;
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

/* A report that is being made may have passed connections that have come since: all that are wanted
 * meanwhile are one, the next. */
void report_want(struct worker *worker, enum report_shape shape, report_done_fn *on_done)
{
    struct conn_table *table = worker->context;

    table->reports[shape].is_wanted = true;
    if (table->reports[shape].current == NULL) {
        begin(worker, shape, on_done);
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
    report_want(worker, REPORT_STATUS, answer_all);
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
