/* GET /topics: what each topic does, for the page and for relay top. Figures since the start; the
 * reader makes rates of two answers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/json_writer.h"
#include "base/version.h"
#include "server/admin/admin.h"
#include "server/admin/topic_rows.h"

enum { HEAD_SIZE = 512, ROW_SIZE = 6 * TOPIC_NAME_SIZE + 512 };

static void write_number(struct json_writer *json, const char *key, uint64_t value)
{
    json_writer_raw(json, ",\"");
    json_writer_raw(json, key);
    json_writer_raw(json, "\":");
    json_writer_integer(json, (int64_t)value);
}

static void write_row(struct json_writer *json, const struct topic_row *row, uint64_t now_ms)
{
    const struct topic_counts *counts = &row->counts;
    uint64_t age_ms;

    json_writer_raw(json, "{\"topic\":");
    json_writer_text(json, row->name);
    write_number(json, "publishers", counts->publishers);
    write_number(json, "viewers", counts->viewers);
#define TOPIC_COUNTERS_WRITE(name, ...) write_number(json, #name, counts->name);
    TOPIC_COUNTERS(TOPIC_COUNTERS_WRITE)
#undef TOPIC_COUNTERS_WRITE
    if (topic_rows_age_ms(row, now_ms, &age_ms)) {
        write_number(json, "age_ms", age_ms);
    }
    json_writer_raw(json, "}");
}

static void write_head(struct json_writer *json, struct conn *conn)
{
    struct conn_shared *shared = conn->table->shared;

    json_writer_raw(json, "{\"version\":");
    json_writer_text(json, RELAY_VERSION);
    write_number(json, "now_ms", conn->worker->now_ms);
    write_number(json, "started_s", (uint64_t)shared->started_s);
    write_number(json, "connections", atomic_load(&shared->connections));
    write_number(json, "websockets", places_count(shared->access.places));
    write_number(json, "workers", conn->worker->group->workers_count);
    json_writer_raw(json, ",\"topics\":[");
}

void admin_topics_get(struct conn *conn, struct access_call *call, struct access_reply *reply)
{
    struct topic_rows *rows = topic_rows_copy(conn->table->shared->topics);
    size_t size = HEAD_SIZE + (rows == NULL ? 0 : rows->count * (size_t)ROW_SIZE);
    char *text = rows == NULL ? NULL : malloc(size);
    struct json_writer json;

    if (text == NULL) {
        free(rows);
        access_reply_error(reply, 503, "out of memory");
        return;
    }
    json_writer_init(&json, text, size);
    write_head(&json, conn);
    for (unsigned i = 0; i < rows->count; i++) {
        json_writer_raw(&json, i > 0 ? "," : "");
        write_row(&json, &rows->rows[i], conn->worker->now_ms);
    }
    json_writer_raw(&json, "]}\n");
    CHECK(!json.overflow);
    free(rows);
    access_reply_long(reply, 200, "application/json", text, json.len);
}
