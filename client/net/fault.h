/* The failure of one attempt: its kind, which decides the pace of retries, and one line for people.
 * All text from peers passes through here, so nothing secret or unprintable leaves the library.
 * Client thread only. */
#pragma once

#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "client/relay_client.h"

enum fault_sizes { FAULT_TEXT_SIZE = 320 };

struct fault {
    enum relay_client_fault kind;
    int http_status;
    int close_code;
    uint64_t retry_after_ms; /* requested by the server, or 0 */
    char text[FAULT_TEXT_SIZE];
};

/* Result of a non-blocking step. */
enum progress {
    PROGRESS_DONE,
    PROGRESS_WAIT,   /* call again when the descriptor is ready */
    PROGRESS_FAILED, /* the fault has the reason */
};

void fault_clear(struct fault *fault);

/* Fills the fault with a sanitised text (see fault_text_clean) and returns PROGRESS_FAILED. */
enum progress fault_set(struct fault *fault, enum relay_client_fault kind, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Copies text of unknown origin: control characters become spaces, bytes that are not ASCII become
 * '?', values of "code=" and everything that looks like a JWT become "<redacted>". Longer text is
 * cut. size > 0. */
void fault_text_clean(struct bytes text, char *clean, size_t size);
