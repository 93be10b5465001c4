/* The destination of log lines: one file or standard stream per process. The caller writes, or,
 * once it runs, a thread: a hanging disk then blocks no caller, and lines that find the queue full
 * are counted as lost. Any thread, unless stated otherwise. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

enum log_output_limits {
    LOG_QUEUE_BYTES_MAX = 1024 * 1024,
    LOG_FLUSH_MS = 1000, /* how long shutdown waits for lines that are not written yet */
};

/* path: a file that is created or appended to, "stdout" or "stderr". 0, or -errno when it cannot be
 * opened (lines then go to standard error). Before other threads start. */
MUST_USE int log_output_open(const char *path);

/* Reopens the file by its name. 0, or -errno: lines then continue in the old one. */
MUST_USE int log_output_reopen(void);

/* Another destination, under the same rules, while others write. */
MUST_USE int log_output_move(const char *path);

/* From now on a dedicated thread writes the lines. It calls on_loss when lines are written again
 * after some were lost; on_loss may write a line. 0 or -errno. A forked child has no such thread
 * and writes its lines itself. */
MUST_USE int log_output_start(void (*on_loss)(uint64_t lines_lost));

/* Waits until all lines are written, at most timeout_ms. Returns at once without the thread, and
 * when called by it. */
void log_output_flush(uint32_t timeout_ms);

/* Flushes for LOG_FLUSH_MS at most, ends the thread and closes the file. A thread stuck in a write
 * is abandoned, with its unwritten lines. Later lines go to standard error. Not while others
 * log. */
void log_output_close(void);

/* Writes one line, newline included. */
void log_output_write(const char *line, size_t len);

/* Lines that were dropped: the reader or the disk stalled, or a write failed. */
uint64_t log_output_lines_lost(void);
