#include "host/host_report.h"

#include "base/version.h"
#include "host/rules/json_answer.h"
#include "wire/address/url.h"

static void write_number(struct json_writer *json, const char *name, uint64_t value)
{
    json_writer_raw(json, ",\"");
    json_writer_raw(json, name);
    json_writer_raw(json, "\":");
    json_writer_integer(json, (int64_t)value);
}

static void write_text(struct json_writer *json, const char *name, const char *text)
{
    json_writer_raw(json, ",\"");
    json_writer_raw(json, name);
    json_writer_raw(json, "\":");
    json_writer_text(json, text);
}

static void separate(struct json_writer *json)
{
    if (json->len > 0 && json->data[json->len - 1] == '}') {
        json_writer_raw(json, ",");
    }
}

static void write_feed(void *context, const struct feed_report *report)
{
    struct json_writer *json = context;

    separate(json);
    json_writer_raw(json, "{\"name\":");
    json_writer_text(json, report->name);
    write_number(json, "members", report->members);
    write_number(json, "messages_per_s", report->second_messages);
    write_number(json, "bytes_per_s", report->second_bytes);
    write_number(json, "messages", report->messages);
    write_number(json, "bytes", report->bytes);
    json_writer_raw(json, "}");
}

static void write_connection(struct json_writer *json, struct link *link)
{
    struct relay_client_statistics statistics;

    link_statistics(link, &statistics);
    write_text(json, "state", relay_client_state_text(statistics.state));
    write_number(json, "connected_s", statistics.connected_ns / 1000000000u);
    write_number(json, "connects", statistics.connects);
    write_number(json, "failures", statistics.connect_failures);
    write_number(json, "messages_sent", statistics.messages_sent);
    write_number(json, "bytes_sent", statistics.bytes_sent);
    write_number(json, "messages_received", statistics.messages_received);
    write_number(json, "bytes_received", statistics.bytes_received);
    write_number(json, "messages_queued", statistics.queue_messages);
    write_number(json, "messages_dropped",
                 statistics.messages_dropped - statistics.drops_unwatched + link_dropped(link));
    write_number(json, "messages_unwatched", statistics.drops_unwatched);
    write_number(json, "messages_held", statistics.held_messages);
    if (statistics.viewers >= 0) {
        write_number(json, "viewers", (uint64_t)statistics.viewers);
    }
    write_number(json, "round_trip_us", statistics.round_trip_ns / 1000);
    write_text(json, "last_error", statistics.last_error);
}

static void write_destination(struct json_writer *json, const struct destination *destination)
{
    char authority[URL_AUTHORITY_SIZE] = "";
    struct url url;

    if (url_parse(destination->rule.destination, &url) == URL_OK) {
        url_authority(&url, authority);
    }
    separate(json);
    json_writer_raw(json, "{\"id\":");
    json_writer_text(json, destination->rule.id);
    write_text(json, "stream", destination->rule.stream);
    write_text(json, "relay", authority);
    if (destination->link == NULL) {
        write_text(json, "state", "refused");
    } else {
        write_connection(json, destination->link);
    }
    json_writer_raw(json, "}");
}

static void write_report(struct json_writer *json, const void *context)
{
    const struct host_report_sources *sources = context;

    json_writer_raw(json, "{\"version\":");
    json_writer_text(json, RELAY_VERSION);
    write_number(json, "uptime_s", (sources->now_ms - sources->started_ms) / 1000);
    write_number(json, "publishers", sources->server->publishers_count);
    write_number(json, "local_clients", sources->clients->count);
    write_number(json, "local_dropped", sources->clients->dropped);
    write_number(json, "connections_refused", sources->server->refused);
    json_writer_raw(json, ",\"feeds\":[");
    feed_table_each(sources->feeds, sources->now_ms, write_feed, json);
    json_writer_raw(json, "],\"destinations\":[");
    for (size_t i = 0; i < sources->destinations->count; i++) {
        write_destination(json, sources->destinations->all[i]);
    }
    json_writer_raw(json, "]}\n");
}

char *host_report_make(const struct host_report_sources *sources)
{
    return json_answer_make(write_report, sources);
}
