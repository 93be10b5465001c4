#include "cli/top/report.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/printable.h"
#include "cli/top/admin/sampler.h"
#include "cli/top/table.h"

enum { TABLE_WIDTH = 100, FIGURES_PER_S = 100 };

static bool look(struct sampler *sampler, struct fault *fault)
{
    enum progress progress;

    sampler_begin(sampler);
    while ((progress = sampler_advance(sampler, clock_monotonic_ms(), fault)) == PROGRESS_WAIT) {
        struct pollfd fd = sampler_pollfd(sampler);

        poll(&fd, 1, FETCH_WAIT_MS);
    }
    return progress == PROGRESS_DONE;
}

/* JSON. */

static json_t *rate(const struct rate_row *row, double value)
{
    /* Two digits behind the point say all that is known. */
    return row->known ? json_real((double)(int64_t)(value * FIGURES_PER_S + 0.5) / FIGURES_PER_S)
                      : json_null();
}

static json_t *topic_json(const struct rate_row *row)
{
    const struct snapshot_topic *topic = row->topic;
    json_t *age = topic->age_ms < 0 ? json_null() : json_integer(topic->age_ms);

    return json_pack("{s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:I, s:o}", "topic", topic->name,
                     "publishers", (json_int_t)topic->publishers, "viewers",
                     (json_int_t)topic->viewers, "age_ms", age, "bits_received_per_s",
                     rate(row, row->bytes_in * 8), "bits_sent_per_s", rate(row, row->bytes_out * 8),
                     "messages_received_per_s", rate(row, row->messages), "lost",
                     (json_int_t)topic->lost, "lost_per_s", rate(row, row->lost));
}

static json_t *connection_json(const struct connection_row *row)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:I}", "topic", row->topic, "remote_addr",
                     row->address, "user_agent", row->agent, "can_read", row->can_read, "can_write",
                     row->can_write, "connected_at", (json_int_t)row->connected_s, "expires_at",
                     (json_int_t)row->expires_s, "lost", (json_int_t)row->lost);
}

static json_t *list_json(const struct sampler *sampler)
{
    json_t *list = json_array();

    if (sampler->wants_connections) {
        for (size_t i = 0; i < sampler->connections.count; i++) {
            json_array_append_new(list, connection_json(&sampler->connections.rows[i]));
        }
        return list;
    }
    for (size_t i = 0; i < sampler->rates.count; i++) {
        json_array_append_new(list, topic_json(&sampler->rates.rows[i]));
    }
    return list;
}

static void print_json(const struct sampler *sampler, FILE *out)
{
    const struct snapshot *now = &sampler->now;
    json_t *root = json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:I, s:o}", "version", now->version, "state", sampler->state,
        "started_s", (json_int_t)now->started_s, "websockets", (json_int_t)now->websockets,
        "connections", (json_int_t)now->connections, "workers", (json_int_t)now->workers,
        sampler->wants_connections ? "connection_list" : "topics", list_json(sampler));
    char *line = root == NULL
                     ? NULL
                     : json_dumps(root, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));

    if (line != NULL) {
        printable_write(out, bytes_of_text(line)); /* jansson does not escape DEL */
        fputc('\n', out);
    }
    free(line);
    json_decref(root);
}

/* The table. */

static void print_table(const struct sampler *sampler, enum sort_key sort, FILE *out)
{
    const struct table table = {.connections = sampler->wants_connections,
                                .width = TABLE_WIDTH,
                                .sort = sort,
                                .wall_s = clock_wall_s()};

    table_write_head(&table, out);
    fputc('\n', out);
    for (size_t i = 0; sampler->wants_connections && i < sampler->connections.count; i++) {
        table_write_connection(&table, &sampler->connections.rows[i], out);
        fputc('\n', out);
    }
    for (size_t i = 0; !sampler->wants_connections && i < sampler->rates.count; i++) {
        table_write_topic(&table, &sampler->rates.rows[i], out);
        fputc('\n', out);
    }
}

static bool print(struct sampler *sampler, const struct top_settings *settings)
{
    enum sort_key sort = (enum sort_key)settings->sort;

    rates_sort(&sampler->rates, sort, settings->reverse);
    connections_sort(&sampler->connections, sort, settings->reverse);
    if (settings->json) {
        print_json(sampler, stdout);
    } else {
        print_table(sampler, sort, stdout);
    }
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        perror("relay top: cannot write");
        return false;
    }
    return true;
}

static void wait_for_next(const struct top_settings *settings)
{
    poll(NULL, 0, (int)settings->interval_ms);
}

/* The relay may come back, except for one report. */
static int report(struct sampler *sampler, const struct top_settings *settings)
{
    struct fault fault;
    bool printed = true;

    while (printed) {
        if (!look(sampler, &fault)) {
            fprintf(stderr, "relay top: no answer of %s: %s\n", sampler->address->text, fault.text);
            printed = !settings->once;
        } else if (sampler->rates.known) {
            printed = print(sampler, settings);
            if (settings->once) {
                return printed ? 0 : 1;
            }
        }
        if (printed) {
            wait_for_next(settings);
        }
    }
    return 1;
}

int report_run(const struct top_settings *settings, const struct admin_address *address)
{
    struct sampler sampler;

    sampler_init(&sampler, address);
    sampler.wants_connections = settings->connections;
    int status = report(&sampler, settings);

    sampler_deinit(&sampler);
    return status;
}
