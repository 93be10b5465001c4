/* The reports of relay_status.h from their JSON. Pure, any thread; allocates through jansson. */
#pragma once

#include <jansson.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "client/relay_status.h"

enum status_reports_result {
    STATUS_REPORTS_OK,    /* an array of reports */
    STATUS_REPORTS_OTHER, /* a JSON object, such as a command */
    STATUS_REPORTS_END,   /* nothing but white space is left */
    STATUS_REPORTS_BAD,   /* not JSON, or not of the types it should be */
    STATUS_REPORTS_TOO_BIG,
    STATUS_REPORTS_NO_MEMORY,
};

struct status_reports {
    struct relay_status_report *list;
    size_t count;
    json_t *root; /* holds the texts */
};

/* False when parsing the input could cost much more memory than reports of its length do, or it is
 * beyond relay_status_limits. Ask once for a message, before reading it. */
MUST_USE bool status_reports_are_bounded(struct bytes input);

/* Reads the first JSON text of the input, which holds no NUL (the parser passes over some of them
 * and loses count); *ret_used bytes of it are done with after OK and OTHER.
 * After the failures error holds one line, without any text of the input. reports is valid, and to
 * be released, only after OK. */
MUST_USE enum status_reports_result status_reports_read(struct bytes input,
                                                        struct status_reports *reports,
                                                        size_t *ret_used,
                                                        char error[static RELAY_STATUS_ERROR_SIZE]);

void status_reports_release(struct status_reports *reports);
