/* GET /healthz: this process, whether each worker's loop turns. GET /readyz: whether clients should
 * be sent here, with the state of what it depends on. */
#include <stdio.h>

#include "base/clock.h"
#include "base/json_writer.h"
#include "server/admin/admin.h"
#include "server/bookings/booking_store.h"
#include "server/tls/tls_slot.h"
#include "token/token_keys_slot.h"

static void reply_json(struct access_reply *reply, unsigned status, const struct json_writer *json)
{
    reply->status = status;
    reply->content_type = "application/json";
    reply->body_len = json->len;
}

void admin_health_get(struct conn *conn, struct access_call *call, struct access_reply *reply)
{
    unsigned stuck;
    bool turns = worker_group_turns(conn->worker->group, conn->worker->now_ms, &stuck);
    struct json_writer json;

    json_writer_init(&json, reply->body, sizeof reply->body);
    json_writer_raw(&json, turns ? "{\"status\":\"ok\"}\n" : "{\"status\":\"a worker hangs\"}\n");
    reply_json(reply, turns ? 200 : 503, &json);
}

static const char *state_text(struct conn_shared *shared)
{
    if (!atomic_load(&shared->is_ready)) {
        return "starting";
    }
    return atomic_load(&shared->access.is_draining) ? "draining" : "ready";
}

static const char *store_text(const struct conn_shared *shared)
{
    if (shared->store == NULL) {
        return "memory";
    }
    return booking_store_is_behind(shared->store) ? "failing" : "ok";
}

static void write_certificate(struct json_writer *json, struct tls_slot *slot)
{
    struct tls_context *context = slot == NULL ? NULL : tls_slot_get(slot);

    json_writer_raw(json, ",\"certificate\":");
    if (context == NULL) {
        json_writer_raw(json, "null");
        return;
    }
    int64_t expires_s = tls_context_expires_s(context);

    tls_context_unref(context);
    json_writer_raw(json, "{\"not_after\":");
    json_writer_integer(json, expires_s);
    json_writer_raw(json, ",\"valid\":");
    json_writer_boolean(json, expires_s > clock_wall_s());
    json_writer_raw(json, "}");
}

static void write_keys(struct json_writer *json, struct token_keys_slot *slot)
{
    struct token_keys *keys = token_keys_slot_get(slot);

    json_writer_raw(json, ",\"keys\":");
    json_writer_integer(json, token_keys_count(keys));
    token_keys_unref(keys);
}

void admin_ready_get(struct conn *conn, struct access_call *call, struct access_reply *reply)
{
    struct conn_shared *shared = conn->table->shared;
    const char *state = state_text(shared);
    bool is_ready = state[0] == 'r';
    struct json_writer json;

    json_writer_init(&json, reply->body, sizeof reply->body);
    json_writer_raw(&json, "{\"ready\":");
    json_writer_boolean(&json, is_ready);
    json_writer_raw(&json, ",\"state\":");
    json_writer_text(&json, state);
    json_writer_raw(&json, ",\"store\":");
    json_writer_text(&json, store_text(shared));
    write_certificate(&json, shared->tls);
    write_keys(&json, shared->access.keys);
    json_writer_raw(&json, "}\n");
    reply_json(reply, is_ready ? 200 : 503, &json);
}
