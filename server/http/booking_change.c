#include "server/http/booking_change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "server/bookings/booking_errands.h"
#include "server/bookings/booking_store.h"
#include "server/websocket/phase_websocket.h"

enum { CHANGE_BODY_SIZE = 256 };

/* A change of a booking on its way: to the other workers, which cut its connections (a denial), and
 * to the disk. Whoever is done last sends it home to the worker of the request. */
struct change {
    struct booking_job job, errand; /* for the disk; for the program before this one */
    struct call finish;
    struct worker *worker; /* of the request that waits; what follows is for it */
    struct deferred_ticket ticket;
    _Atomic unsigned pending; /* of the workers, the disk and the request itself */
    int stored;               /* 0, or -errno; seen by the last */
    unsigned status;          /* of the prepared reply, as what follows */
    const char *content_type;
    size_t body_len;
    char body[CHANGE_BODY_SIZE];
    bool is_denial;
    struct booking_change_actor actor;
    struct cut {
        struct call call;
        struct change *change;
    } cuts[]; /* of a denial: for each worker */
};

static struct change *change_create(const struct access_reply *reply, unsigned cuts_count)
{
    struct change *change = calloc(1, sizeof *change + cuts_count * sizeof change->cuts[0]);

    if (change == NULL) {
        return NULL;
    }
    change->job.exp_s = reply->exp_s;
    memcpy(change->job.booking_id, reply->booking_id, sizeof reply->booking_id);
    return change;
}

/* True for the last one: all others are done. */
static bool change_is_done(struct change *change)
{
    return atomic_fetch_sub(&change->pending, 1) == 1;
}

static void write_reply(struct worker *worker, const struct change *change,
                        struct access_reply *reply)
{
    reply->status = change->status;
    reply->content_type = change->content_type;
    reply->body_len = change->body_len;
    memcpy(reply->body, change->body, change->body_len);
    if (change->stored != 0) {
        counters_increment(&worker->counters, store_failures);
        access_reply_error(reply, 503,
                           "not stored: it holds in memory, but a restart would forget it");
    }
    log_info(change->is_denial ? "booking denied" : "booking allowed",
             LOG_TEXT("booking_id", change->job.booking_id),
             LOG_INT("expires_at", change->job.exp_s), LOG_INT("status", reply->status),
             LOG_TEXT("by", change->actor.booking_id),
             LOG_TEXT("remote_addr", change->actor.address),
             LOG_TEXT("user_agent", change->actor.user_agent));
}

static void run_finish(struct worker *worker, struct call *call)
{
    struct change *change = container_of(call, struct change, finish);
    struct conn_table *table = worker->context;
    struct access_reply reply = {0};

    CHECK(table->deferred > 0);
    table->deferred--;
    write_reply(worker, change, &reply);
    deferred_finish(change->ticket, &reply);
    free(change);
}

/* The request is answered when all have done their part. */
static void wait_for(struct change *change, struct conn *conn, const struct access_reply *reply,
                     deferred_answer_fn *answer)
{
    CHECK(reply->body_len <= sizeof change->body);
    change->status = reply->status;
    change->content_type = reply->content_type;
    change->body_len = reply->body_len;
    memcpy(change->body, reply->body, reply->body_len);
    change->pending = 1; /* the request's own, until everything has begun */
    change->worker = conn->worker;
    change->finish.run = run_finish;
    change->ticket = deferred_begin(conn, answer);
    conn->table->deferred++;
}

void booking_change_cut_here(struct worker *worker, const char *booking_id)
{
    struct conn_table *table = worker->context;

    list_for_each(node, conn_table_booking(table, booking_id))
    {
        struct conn *conn = container_of(node, struct conn, booking_node);

        if (strcmp(phase_websocket_of(conn)->identity.booking_id, booking_id) == 0) {
            conn_end(conn, CLOSE_DENIED);
        }
    }
}

static void run_cut(struct worker *worker, struct call *call)
{
    struct change *change = container_of(call, struct cut, call)->change;

    booking_change_cut_here(worker, change->job.booking_id);
    if (change_is_done(change)) {
        worker_call(worker, change->worker, &change->finish);
    }
}

/* A connection that is admitted meanwhile is found by the letter to its worker: the booking is
 * listed as denied already, and no turn of a worker ends between its check and the entry in its
 * table. */
static void cut_everywhere(struct worker *worker, struct change *change)
{
    struct worker_group *group = worker->group;

    booking_change_cut_here(worker, change->job.booking_id);
    for (unsigned i = 0; i < group->workers_count; i++) {
        if (i == worker->index) {
            continue;
        }
        change->cuts[i] = (struct cut){.call.run = run_cut, .change = change};
        atomic_fetch_add(&change->pending, 1);
        worker_call(worker, &group->workers[i], &change->cuts[i].call);
    }
}

/* On a thread that is no worker. */
static void finish_from_outside(struct change *change, struct ring *ring)
{
    if (!change_is_done(change)) {
        return;
    }
    /* The worker waits for it: table->deferred. Without memory the kernel may refuse for a moment,
     * and this thread has time. */
    while (mailbox_post_from_outside(ring, atomic_load(&change->worker->ring_fd),
                                     &change->finish) != 0) {
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
}

/* On the thread of the store. */
static void on_stored(struct booking_job *job, int result, struct ring *ring)
{
    struct change *change = container_of(job, struct change, job);

    change->stored = result;
    finish_from_outside(change, ring);
}

/* On the thread of the errands. */
static void on_cut_elsewhere(struct booking_job *job, int result, struct ring *ring)
{
    finish_from_outside(container_of(job, struct change, errand), ring);
}

/* The program before this one may have connections of the booking. */
static void cut_elsewhere(struct booking_errands *errands, struct change *change)
{
    change->errand = change->job;
    change->errand.on_done = on_cut_elsewhere;
    atomic_fetch_add(&change->pending, 1);
    if (!booking_errands_submit(errands, &change->errand)) {
        atomic_fetch_sub(&change->pending, 1);
    }
}

static void store(struct worker *worker, struct booking_store *store, struct change *change)
{
    change->job.on_done = on_stored;
    atomic_fetch_add(&change->pending, 1);
    if (!booking_store_submit(store, &change->job)) {
        atomic_fetch_sub(&change->pending, 1);
        change->stored = -ENOSPC;
        worker_alarm(worker, ALARM_STORE);
    }
}

/* The answer comes when no connection of a denied booking is left on any worker, and when the disk
 * has spoken. True: that is so already. */
bool booking_change_carry_out(struct conn *conn, struct access_reply *reply,
                              const struct booking_change_actor *actor, deferred_answer_fn *answer)
{
    const bool is_denial = reply->action == ACCESS_ACTION_DENY;
    struct worker *worker = conn->worker;
    struct conn_table *table = conn->table;
    struct change *change = change_create(reply, is_denial ? worker->group->workers_count : 0);

    if (change == NULL) {
        CHECK(!is_denial); /* one that is not carried out is worse than an end */
        access_reply_error(reply, 503, "out of memory");
        return true;
    }
    change->is_denial = is_denial;
    change->actor = *actor;
    wait_for(change, conn, reply, answer);
    if (is_denial) {
        cut_everywhere(worker, change);
    }
    if (is_denial && table->shared->errands != NULL) {
        cut_elsewhere(table->shared->errands, change);
    }
    /* A denial that memory had no room for stays off the disk too, or the next start would find
     * more there than fits, and refuse. */
    if (table->shared->store != NULL && reply->status != 503) {
        store(worker, table->shared->store, change);
    }
    if (!change_is_done(change)) {
        return false;
    }
    table->deferred--;
    deferred_cancel(change->ticket);
    write_reply(worker, change, reply);
    free(change);
    return true;
}
