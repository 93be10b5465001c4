#include "cli/host/state.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/printable.h"
#include "base/version.h"
#include "client/net/http_get.h"

enum { TIMEOUT_MS = 5000, REPORT_BYTES_MAX = 4 * 1024 * 1024, NUMBER_WIDTH = 9 };

struct column {
    const char *title, *member;
    int width;     /* 0: the last one */
    int divide_by; /* 0: a text */
};

static const struct column feed_columns[] = {
    {"FEED", "name", 24, 0},           {"MEMBERS", "members", NUMBER_WIDTH, 1},
    {"MSG/S", "messages_per_s", 9, 1}, {"KBIT/S", "bytes_per_s", NUMBER_WIDTH, 125},
    {"MESSAGES", "messages", 0, 1},
};

static const struct column destination_columns[] = {
    {"ID", "id", 10, 0},
    {"FEED", "stream", 16, 0},
    {"RELAY", "relay", 28, 0},
    {"STATE", "state", 11, 0},
    {"SENT", "messages_sent", NUMBER_WIDTH, 1},
    {"RECEIVED", "messages_received", NUMBER_WIDTH, 1},
    {"VIEWERS", "viewers", NUMBER_WIDTH, 1},
    {"QUEUED", "messages_queued", NUMBER_WIDTH, 1},
    {"DROPPED", "messages_dropped", NUMBER_WIDTH, 1},
    {"LAST ERROR", "last_error", 0, 0},
};

static void write_cell(FILE *out, const char *text, int width)
{
    printable_write(out, bytes_of_text(text));
    if (width > 0) {
        fprintf(out, " %*s", width - 1 > (int)strlen(text) ? width - 1 - (int)strlen(text) : 0, "");
    }
}

static void write_value(FILE *out, const struct column *column, const json_t *value)
{
    char number[24];

    if (column->divide_by == 0) {
        const char *text = json_string_value(value);

        write_cell(out, text == NULL ? "" : text, column->width);
        return;
    }
    snprintf(number, sizeof number, "-");
    if (value != NULL) {
        snprintf(number, sizeof number, "%lld",
                 (long long)(json_integer_value(value) / column->divide_by));
    }
    write_cell(out, number, column->width);
}

static void write_table(FILE *out, const struct column *columns, size_t count, const json_t *rows)
{
    for (size_t i = 0; i < count; i++) {
        write_cell(out, columns[i].title, columns[i].width);
    }
    fprintf(out, "\n");
    for (size_t row = 0; row < json_array_size(rows); row++) {
        for (size_t i = 0; i < count; i++) {
            write_value(out, &columns[i],
                        json_object_get(json_array_get(rows, row), columns[i].member));
        }
        fprintf(out, "\n");
    }
}

int state_write(FILE *out, struct bytes report)
{
    json_t *root = json_loadb((const char *)report.data, report.len, 0, NULL);

    if (!json_is_object(root)) {
        json_decref(root);
        return -EINVAL;
    }
    write_table(out, feed_columns, ARRAY_LENGTH(feed_columns), json_object_get(root, "feeds"));
    fprintf(out, "\n");
    write_table(out, destination_columns, ARRAY_LENGTH(destination_columns),
                json_object_get(root, "destinations"));
    fprintf(out, "\n%lld cameras, %lld local programs, up %lld s\n",
            (long long)json_integer_value(json_object_get(root, "publishers")),
            (long long)json_integer_value(json_object_get(root, "local_clients")),
            (long long)json_integer_value(json_object_get(root, "uptime_s")));
    json_decref(root);
    return 0;
}

static int show(const struct host_settings *settings, const struct http_get_answer *answer)
{
    struct bytes report = bytes_of(answer->body, answer->body_len);

    if (answer->status != 200) {
        fprintf(stderr, "relay host: the program on port %d answers with %d\n", (int)settings->port,
                answer->status);
        return 1;
    }
    if (settings->json) {
        printable_write(stdout, bytes_strip(report));
        printf("\n");
        return 0;
    }
    if (state_write(stdout, report) != 0) {
        fprintf(stderr, "relay host: the program on port %d is no relay host\n",
                (int)settings->port);
        return 1;
    }
    return 0;
}

int state_show(const struct host_settings *settings)
{
    struct http_get get = {.user_agent = "relay-host/" RELAY_VERSION,
                           .timeout_ms = TIMEOUT_MS,
                           .body_bytes_max = REPORT_BYTES_MAX};
    struct http_get_answer answer;
    struct fault fault;
    char location[64];

    snprintf(location, sizeof location, "http://127.0.0.1:%d/api/status", (int)settings->port);
    fault_clear(&fault);
    if (url_parse(location, &get.url) != URL_OK ||
        http_get(&get, &answer, &fault) != PROGRESS_DONE) {
        fprintf(stderr, "relay host: no host answers on port %d: %s\n", (int)settings->port,
                fault.text);
        return 1;
    }
    int status = show(settings, &answer);

    http_get_answer_release(&answer);
    return status;
}
