#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json_writer.h"
#include "base/log_output.h"

static const char *const level_names[LOG_LEVEL_COUNT] = {
    [LOG_LEVEL_PANIC] = "panic",  [LOG_LEVEL_FATAL] = "fatal", [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warning", [LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_TRACE] = "trace",
};

static struct {
    atomic_int level;
    atomic_int format;
} log_state = {.level = LOG_LEVEL_WARN};

int log_open(const char *path, enum log_level level, enum log_format format)
{
    atomic_store(&log_state.format, format);
    atomic_store(&log_state.level, level);
    return log_output_open(path);
}

int log_change(const char *path, enum log_level level, enum log_format format)
{
    int failed = log_output_move(path);

    if (failed == 0) {
        atomic_store(&log_state.format, format);
        atomic_store(&log_state.level, level);
    }
    return failed;
}

static void on_loss(uint64_t lines_lost)
{
    log_warn("lines of this log are lost: its reader or disk stalled",
             LOG_INT("log_lines_lost", lines_lost));
}

int log_thread_start(void)
{
    return log_output_start(on_loss);
}

int log_reopen(void)
{
    return log_output_reopen();
}

void log_close(void)
{
    log_output_close();
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_state.level, memory_order_relaxed);
}

static void format_time(char *text, size_t size)
{
    uint64_t now_ns = clock_wall_ns();
    time_t seconds = (time_t)(now_ns / 1000000000u);
    struct tm utc;
    size_t used;

    gmtime_r(&seconds, &utc);
    used = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + used, size - used, ".%03uZ", (unsigned)(now_ns / 1000000u % 1000u));
}

static void write_value(struct json_writer *json, const struct log_field *field)
{
    switch (field->type) {
    case LOG_FIELD_TEXT:
        json_writer_text(json, field->text == NULL ? "" : field->text);
        break;
    case LOG_FIELD_INTEGER:
        json_writer_integer(json, field->integer);
        break;
    case LOG_FIELD_BOOLEAN:
        json_writer_boolean(json, field->integer != 0);
        break;
    case LOG_FIELD_RAW_JSON:
        json_writer_raw_printable(json, field->text);
        break;
    }
}

/* Room kept for level, message and time, so that no field can push them out of the line. */
enum { LOG_TAIL_BYTES = 512 };

/* Takes back what was written since before when it did not fit; the line stays whole. */
static bool keep_or_undo(struct json_writer *json, size_t before)
{
    if (!json->overflow) {
        return true;
    }
    json->len = before;
    json->data[before] = '\0';
    json->overflow = false;
    return false;
}

/* Returns how many fields were too long to be written. */
static unsigned write_fields(struct json_writer *json, enum log_format format,
                             const struct log_field *fields, unsigned fields_count)
{
    unsigned omitted = 0;

    for (unsigned i = 0; i < fields_count; i++) {
        size_t before = json->len;

        if (format == LOG_FORMAT_JSON) {
            json_writer_text(json, fields[i].key);
            json_writer_raw(json, ":");
            write_value(json, &fields[i]);
            json_writer_raw(json, ",");
        } else {
            json_writer_raw(json, " ");
            json_writer_raw(json, fields[i].key);
            json_writer_raw(json, "=");
            write_value(json, &fields[i]);
        }
        omitted += !keep_or_undo(json, before);
    }
    return omitted;
}

static void write_json(struct json_writer *json, enum log_level level, const char *time_text,
                       const char *message, const struct log_field *fields, unsigned fields_count)
{
    json_writer_raw(json, "{");
    unsigned omitted = write_fields(json, LOG_FORMAT_JSON, fields, fields_count);

    json->size += LOG_TAIL_BYTES;
    if (omitted > 0) {
        json_writer_raw(json, "\"fields_omitted\":");
        json_writer_integer(json, omitted);
        json_writer_raw(json, ",");
    }
    json_writer_raw(json, "\"level\":");
    json_writer_text(json, level_names[level]);
    json_writer_raw(json, ",\"msg\":");
    json_writer_text(json, message);
    json_writer_raw(json, ",\"time\":");
    json_writer_text(json, time_text);
    json_writer_raw(json, "}");
}

static void write_text(struct json_writer *json, enum log_level level, const char *time_text,
                       const char *message, const struct log_field *fields, unsigned fields_count)
{
    json_writer_raw(json, time_text);
    json_writer_raw(json, " ");
    json_writer_raw(json, level_names[level]);
    json_writer_raw(json, " ");
    json_writer_raw_printable(json, message);
    unsigned omitted = write_fields(json, LOG_FORMAT_TEXT, fields, fields_count);

    json->size += LOG_TAIL_BYTES;
    if (omitted > 0) {
        json_writer_raw(json, " fields_omitted=");
        json_writer_integer(json, omitted);
    }
}

uint64_t log_lines_lost(void)
{
    return log_output_lines_lost();
}

void log_write(enum log_level level, const char *message, const struct log_field *fields,
               unsigned fields_count)
{
    char line[LOG_LINE_BYTES_MAX + 1];
    char time_text[40];
    struct json_writer json;

    format_time(time_text, sizeof time_text);
    json_writer_init(&json, line, LOG_LINE_BYTES_MAX - LOG_TAIL_BYTES);
    json.printable = true;
    if (atomic_load_explicit(&log_state.format, memory_order_relaxed) == LOG_FORMAT_JSON) {
        write_json(&json, level, time_text, message, fields, fields_count);
    } else {
        write_text(&json, level, time_text, message, fields, fields_count);
    }
    line[json.len] = '\n';
    log_output_write(line, json.len + 1);
}

bool log_limit_allow(struct log_limit *limit, uint64_t now_ms, uint32_t *ret_suppressed)
{
    if (now_ms - limit->period_start_ms >= LOG_LIMIT_PERIOD_MS) {
        limit->period_start_ms = now_ms;
        limit->lines = 0;
    }
    if (limit->lines >= (limit->lines_max == 0 ? LOG_LIMIT_BURST : limit->lines_max)) {
        limit->suppressed++;
        return false;
    }
    limit->lines++;
    *ret_suppressed = limit->suppressed;
    limit->suppressed = 0;
    return true;
}
