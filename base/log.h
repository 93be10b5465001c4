/* One line per event: JSON or text, to a file or a standard stream (base/log_output.h). Any thread;
 * a line is one write(2), so lines of different threads never mix. Library code (base wire token
 * client) does not log above debug: it returns the error, and the handler logs it once. Secrets are
 * never passed here: no token, key or secret; codes by their first 4 characters.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"

enum log_level {
    LOG_LEVEL_PANIC,
    LOG_LEVEL_FATAL,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_TRACE,
    LOG_LEVEL_COUNT,
};

enum log_format {
    LOG_FORMAT_JSON,
    LOG_FORMAT_TEXT,
};

/* path: a file that is created or appended to, "stdout" or "stderr". Returns 0, or -errno when the
 * file cannot be opened (the log then goes to stderr). Call before threads start. */
MUST_USE int log_open(const char *path, enum log_level level, enum log_format format);

/* From now on a thread writes the lines, so that a hanging disk blocks no caller. 0, or -errno:
 * lines are written as before. */
MUST_USE int log_thread_start(void);

/* Reopens the file by its name, for logrotate. 0, or -errno: lines then continue in the old one.
 * Safe while other threads log. */
MUST_USE int log_reopen(void);

/* The same while threads log: another file, level or form. 0, or -errno when the file cannot be
 * opened: nothing has changed then. */
MUST_USE int log_change(const char *path, enum log_level level, enum log_format format);

/* Waits at most a second for lines that are not written yet. */
void log_close(void);

/* Lines that were dropped because the disk or the reader of a pipe or terminal stalled. */
uint64_t log_lines_lost(void);

bool log_enabled(enum log_level level);

/* Fields of one line. The value pointers need only be valid until the call returns. */
struct log_field {
    const char *key;
    enum { LOG_FIELD_TEXT, LOG_FIELD_INTEGER, LOG_FIELD_BOOLEAN, LOG_FIELD_RAW_JSON } type;
    const char *text; /* LOG_FIELD_TEXT: any bytes, escaped; LOG_FIELD_RAW_JSON: unchanged, except
                         for terminal control characters (base/printable.h) */
    int64_t integer;
};

#define LOG_TEXT(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_TEXT, .text = (v)})
#define LOG_INT(k, v)                                                                              \
    ((struct log_field){.key = (k), .type = LOG_FIELD_INTEGER, .integer = (int64_t)(v)})
#define LOG_BOOL(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_BOOLEAN, .integer = (v)})
#define LOG_JSON(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_RAW_JSON, .text = (v)})

void log_write(enum log_level level, const char *message, const struct log_field *fields,
               unsigned fields_count);

#define LOG_EVENT(level, message, ...)                                                             \
    do {                                                                                           \
        if (log_enabled(level)) {                                                                  \
            const struct log_field log_fields_[] = {__VA_ARGS__};                                  \
            log_write(level, message, log_fields_,                                                 \
                      (unsigned)(sizeof log_fields_ / sizeof log_fields_[0]));                     \
        }                                                                                          \
    } while (0)

#define log_error(...) LOG_EVENT(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  LOG_EVENT(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  LOG_EVENT(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_EVENT(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* A limit on lines that an outsider can cause: at most lines_max in each period; the first line
 * after a suppressed period says how many were suppressed. Owned by one thread. */
struct log_limit {
    uint64_t period_start_ms;
    uint32_t lines_max; /* 0: LOG_LIMIT_BURST */
    uint32_t lines;
    uint32_t suppressed;
};

enum log_limits {
    LOG_LIMIT_PERIOD_MS = 10000,
    LOG_LIMIT_BURST = 5,
    LOG_LINE_BYTES_MAX = 4096, /* fields that do not fit are omitted and counted */
};

/* True when a line may be written now; *ret_suppressed counts those suppressed since the last
 * one. */
bool log_limit_allow(struct log_limit *limit, uint64_t now_ms, uint32_t *ret_suppressed);
