#include "server/http/snapshot_fetch.h"

#include <stdlib.h>

#include "base/check.h"
#include "server/access/snapshot.h"
#include "server/hub/stream_cache.h"

/* Memory of the asking worker. */
struct fetch {
    struct call call;
    struct deferred_ticket ticket;
    unsigned asker;
    unsigned accepted;   /* 1 << enum access_picture */
    struct topic *topic; /* referenced */
    struct stream_picture picture;
    bool is_refused;
};

static enum access_picture kind_of(enum message_class class)
{
    if (class == MESSAGE_JPEG) {
        return ACCESS_PICTURE_JPEG;
    }
    return class == MESSAGE_KEY ? ACCESS_PICTURE_STREAM : ACCESS_PICTURE_OTHER;
}

/* On the worker that keeps the picture. False: it has copied enough for now. */
static bool copy(struct worker *worker, struct topic *topic, struct stream_picture *picture)
{
    struct conn_table *table = worker->context;

    if (worker->now_ms >= table->snapshot_ms + SNAPSHOT_MS) {
        table->snapshot_ms = worker->now_ms;
        table->snapshot_bytes = 0;
    }
    if (table->snapshot_bytes >= SNAPSHOT_BYTES_MAX) {
        return false;
    }
    *picture = stream_cache_copy_picture(worker, topic);
    table->snapshot_bytes += picture->len;
    return true;
}

static void refuse(struct worker *worker, struct access_reply *reply)
{
    counters_increment(&worker->counters, snapshots_refused);
    access_reply_error(reply, 503, "too many pictures are asked for");
}

/* Takes the picture's memory. */
static void write_reply(struct access_reply *reply, unsigned accepted,
                        const struct stream_picture *picture)
{
    enum access_picture kind = kind_of(picture->class);

    if (picture->bytes == NULL) {
        access_reply_error(reply, 404, "no picture of this topic is kept");
    } else if ((accepted & 1u << kind) == 0) {
        free(picture->bytes);
        access_reply_error(reply, 406, "the picture is of another type");
    } else {
        access_reply_long(reply, 200, snapshot_type(kind), picture->bytes, picture->len);
    }
}

static void run_answer(struct worker *worker, struct call *call)
{
    struct fetch *fetch = container_of(call, struct fetch, call);
    struct conn_table *table = worker->context;
    struct access_reply reply = {0};

    CHECK(table->deferred > 0 && table->snapshots > 0);
    table->deferred--;
    table->snapshots--;
    if (fetch->is_refused) {
        refuse(worker, &reply);
    } else {
        write_reply(&reply, fetch->accepted, &fetch->picture);
    }
    deferred_finish(fetch->ticket, &reply);
    topic_unref(fetch->topic);
    block_pool_put(&worker->requests, fetch);
}

static void run_copy(struct worker *worker, struct call *call)
{
    struct fetch *fetch = container_of(call, struct fetch, call);

    fetch->is_refused = !copy(worker, fetch->topic, &fetch->picture);
    call->run = run_answer;
    worker_call(worker, &worker->group->workers[fetch->asker], call);
}

/* With a reference to the topic, which it takes. False: refused. */
static bool ask(struct conn *conn, struct access_reply *reply, struct topic *topic, unsigned home,
                deferred_answer_fn *answer)
{
    struct worker *worker = conn->worker;
    struct fetch *fetch = conn->table->snapshots >= SNAPSHOTS_MAX
                              ? NULL
                              : block_pool_take(&worker->requests, sizeof *fetch);

    if (fetch == NULL) {
        topic_unref(topic);
        refuse(worker, reply);
        return false;
    }
    *fetch = (struct fetch){.call.run = run_copy,
                            .ticket = deferred_begin(conn, answer),
                            .asker = worker->index,
                            .accepted = reply->pictures,
                            .topic = topic};
    conn->table->deferred++;
    conn->table->snapshots++;
    worker_call(worker, &worker->group->workers[home], &fetch->call);
    return true;
}

bool snapshot_fetch_carry_out(struct conn *conn, struct access_reply *reply,
                              deferred_answer_fn *answer)
{
    struct topic *topic = topic_find_or_create(conn->table->shared->topics, reply->topic);
    uint32_t home = topic == NULL ? 0 : atomic_load(&topic->cache_home);
    struct stream_picture picture = {0};

    if (home > 0 && home - 1 != conn->worker->index) {
        return !ask(conn, reply, topic, home - 1, answer);
    }
    if (home > 0 && !copy(conn->worker, topic, &picture)) {
        refuse(conn->worker, reply);
    } else {
        write_reply(reply, reply->pictures, &picture);
    }
    if (topic != NULL) {
        topic_unref(topic);
    }
    return true;
}
