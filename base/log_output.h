/* Where log lines go: one file or standard stream per process. Written to by the caller, or, once
 * its thread runs, by that: a disk that hangs then holds up nobody, and what finds no place in the
 * queue is counted as lost. Any thread, unless it says otherwise. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

enum log_output_limits {
    LOG_QUEUE_BYTES_MAX = 1024 * 1024,
    LOG_FLUSH_MS = 1000, /* how long an end waits for lines that are not written yet */
};

/* path: a file that is created or appended to, "stdout" or "stderr". 0, or -errno when it cannot be
 * opened (lines then go to standard error). Before other threads start. */
MUST_USE int log_output_open(const char *path);

/* Opens the file again by its name. 0, or -errno: then lines go on into the old one. */
MUST_USE int log_output_reopen(void);

/* From now on lines are written by a thread of their own. on_loss is called by that thread when
 * lines are written again after some were lost; it may write a line. 0 or -errno. A child process
 * that fork made has no such thread, and writes its lines itself. */
MUST_USE int log_output_start(void (*on_loss)(uint64_t lines_lost));

/* Waits until all lines are written, timeout_ms at most. At once without the thread, and in it. */
void log_output_flush(uint32_t timeout_ms);

/* Flushes for LOG_FLUSH_MS at most, ends the thread and closes the file. A thread that does not
 * come back from a write is left to itself, with what it has not written. Later lines go to
 * standard error. Not while others log. */
void log_output_close(void);

/* One line with its end. */
void log_output_write(const char *line, size_t len);

/* Lines that were dropped: the reader or the disk stalled, or a write failed. */
uint64_t log_output_lines_lost(void);
