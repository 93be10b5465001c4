/* The reports of relay_status.h from their JSON. Pure, any thread; allocates through jansson. */
#pragma once

#include <jansson.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "client/relay_status.h"

enum status_reports_result {
    STATUS_REPORTS_OK,    /* an array of reports */
    STATUS_REPORTS_OTHER, /* a JSON object, such as a command */
    STATUS_REPORTS_END,   /* only white space is left */
    STATUS_REPORTS_BAD,   /* not JSON, or of the wrong types */
    STATUS_REPORTS_TOO_BIG,
    STATUS_REPORTS_NO_MEMORY,
};

struct status_reports {
    struct relay_status_report *list;
    size_t count;
    json_t *root; /* holds the texts */
};

/* False when parsing the input could cost much more memory than reports of that length do, or it
 * exceeds relay_status_limits. Check once per message, before reading it. */
MUST_USE bool status_reports_are_bounded(struct bytes input);

/* Reads the first JSON text of the input, which holds no NUL (the parser skips some of them and
 * miscounts); *ret_used bytes of it are consumed after OK and OTHER. After a failure, error holds
 * one line, without any text of the input. reports is valid, and must be released, only after
 * OK. */
MUST_USE enum status_reports_result status_reports_read(struct bytes input,
                                                        struct status_reports *reports,
                                                        size_t *ret_used,
                                                        char error[static RELAY_STATUS_ERROR_SIZE]);

void status_reports_release(struct status_reports *reports);
