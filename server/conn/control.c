#include "server/conn/control.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "server/access/booking_store.h"
#include "server/conn/report.h"

struct cut {
    struct call call;
    char booking_id[TOKEN_TEXT_SIZE];
};

static void cut_here(struct worker *worker, const char *booking_id)
{
    struct conn_table *table = worker->context;

    list_for_each(node, conn_table_booking(table, booking_id))
    {
        struct conn *conn = container_of(node, struct conn, booking_node);

        if (strcmp(conn->in.websocket.booking_id, booking_id) == 0) {
            conn_close_websocket(conn, CLOSE_DENIED, WS_CLOSE_DENIED, "booking cancelled");
        }
    }
}

static void run_cut(struct worker *worker, struct call *call)
{
    struct cut *cut = container_of(call, struct cut, call);

    cut_here(worker, cut->booking_id);
    free(cut);
}

void control_cut(struct worker *worker, const char *booking_id)
{
    struct worker_group *group = worker->group;

    cut_here(worker, booking_id);
    for (unsigned i = 0; i < group->workers_count; i++) {
        if (i == worker->index) {
            continue;
        }
        struct cut *cut = calloc(1, sizeof *cut);

        CHECK(cut != NULL); /* a denial that is not carried out is worse than an end */
        cut->call.run = run_cut;
        memcpy(cut->booking_id, booking_id, strlen(booking_id) + 1);
        worker_call(worker, &group->workers[i], &cut->call);
    }
}

struct control_ticket control_ticket(struct conn *conn)
{
    conn->in.http.deferred = true;
    return (struct control_ticket){.conn = conn, .serial = conn->serial};
}

struct conn *control_claim(struct control_ticket ticket)
{
    struct conn *conn = ticket.conn;

    if (conn->serial != ticket.serial || conn->phase != PHASE_HTTP || !conn->in.http.deferred) {
        return NULL;
    }
    conn->in.http.deferred = false;
    return conn;
}

/* A change on its way to the disk; with a request that waits for it, or none. */
struct change {
    struct booking_job job;
    struct call call;
    struct worker *worker; /* of the request; NULL: nobody waits */
    struct control_ticket ticket;
    unsigned status; /* of the prepared reply */
    int result;
};

static void answer_change(struct conn *conn, unsigned status, int result)
{
    struct access_reply reply = {0};

    access_reply_empty(&reply, status);
    if (result != 0) {
        access_reply_error(&reply, 503,
                           "not stored: it holds in memory, but a restart would forget it");
    }
    http_answer_deferred(conn, &reply);
}

static void run_stored(struct worker *worker, struct call *call)
{
    struct change *change = container_of(call, struct change, call);
    struct conn_table *table = worker->context;
    struct conn *conn = control_claim(change->ticket);

    CHECK(table->deferred > 0);
    table->deferred--;
    if (change->result != 0) {
        counters_increment(&worker->counters, store_failures);
    }
    if (conn != NULL) {
        answer_change(conn, change->status, change->result);
    }
    free(change);
}

/* On the thread of the store. */
static void on_stored(struct booking_job *job, int result, struct ring *ring)
{
    struct change *change = container_of(job, struct change, job);

    if (change->worker == NULL) {
        free(change);
        return;
    }
    change->result = result;
    change->call.run = run_stored;
    int failed =
        mailbox_post_from_outside(ring, atomic_load(&change->worker->ring_fd), &change->call);

    CHECK(failed == 0); /* the worker waits for it: table->deferred */
}

static struct change *make_change(const struct access_reply *reply)
{
    struct change *change = calloc(1, sizeof *change);

    if (change == NULL) {
        return NULL;
    }
    change->job.exp_s = reply->exp_s;
    change->job.on_done = on_stored;
    change->status = reply->status;
    memcpy(change->job.booking_id, reply->booking_id, sizeof reply->booking_id);
    return change;
}

/* What nobody waits for may be lost with the disk: the next session request notes it again. */
static void note(struct conn *conn, const struct access_reply *reply)
{
    struct booking_store *store = conn->table->shared->store;
    struct change *change = store == NULL ? NULL : make_change(reply);

    if (change != NULL && !booking_store_submit(store, &change->job)) {
        counters_increment(&conn->worker->counters, store_failures);
        worker_alarm(conn->worker, ALARM_STORE);
        free(change);
    }
}

static void refuse_unstored(struct conn *conn, struct access_reply *reply)
{
    counters_increment(&conn->worker->counters, store_failures);
    worker_alarm(conn->worker, ALARM_STORE);
    access_reply_error(reply, 503, "not stored: it holds in memory, but a restart would forget it");
}

static bool store_and_wait(struct conn *conn, struct access_reply *reply)
{
    struct booking_store *store = conn->table->shared->store;

    if (store == NULL) {
        return true;
    }
    struct change *change = make_change(reply);

    if (change == NULL) {
        refuse_unstored(conn, reply);
        return true;
    }
    change->worker = conn->worker;
    change->ticket = control_ticket(conn);
    conn->table->deferred++;
    if (!booking_store_submit(store, &change->job)) {
        conn->table->deferred--;
        conn->in.http.deferred = false;
        free(change);
        refuse_unstored(conn, reply);
        return true;
    }
    return false;
}

static void log_act(const char *act, const struct access_reply *reply)
{
    log_info(act, LOG_TEXT("booking_id", reply->booking_id), LOG_INT("expires_at", reply->exp_s),
             LOG_INT("status", reply->status));
}

bool control_run(struct conn *conn, struct access_reply *reply)
{
    switch (reply->action) {
    case ACCESS_ACTION_NONE:
        return true;
    case ACCESS_ACTION_NOTE:
        note(conn, reply);
        return true;
    case ACCESS_ACTION_DENY:
        log_act("booking denied", reply);
        control_cut(conn->worker, reply->booking_id);
        /* A denial that memory had no room for stays off the disk too, or the next start would find
         * more there than fits, and refuse. */
        return reply->status == 503 || store_and_wait(conn, reply);
    case ACCESS_ACTION_ALLOW:
        log_act("booking allowed", reply);
        return store_and_wait(conn, reply);
    case ACCESS_ACTION_STATUS:
        if (report_for_request(conn)) {
            return false;
        }
        access_reply_error(reply, 503, "out of memory");
        return true;
    }
    UNREACHABLE();
}
