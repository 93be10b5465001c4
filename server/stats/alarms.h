/* Alarms for bounds that an operator should act on. Reaching one is counted where it happens; here
 * it gets a log line that names cause and cure, one per period and bound, so that a flood of one
 * does not hide another. Each worker has its own; owner worker only. */
#pragma once

#include <stdint.h>

#include "base/log.h"

enum alarm_kind {
    ALARM_CONNECTIONS,    /* connections_refused_limit */
    ALARM_DESCRIPTORS,    /* accept_pauses */
    ALARM_MESSAGE_MEMORY, /* messages_dropped_memory */
    ALARM_MESSAGE_SHARE,  /* messages_dropped_share */
    ALARM_MAILBOX,        /* messages_dropped_mailbox */
    ALARM_PUBLISH_RATE,   /* closed_too_fast */
    ALARM_REQUEST_MEMORY, /* http_refused_memory */
    ALARM_PLACES,         /* places_refused */
    ALARM_CODES,          /* codes_refused_full */
    ALARM_BOOKINGS,       /* denials_refused_full */
    ALARM_STORE,          /* store_failures: the queue of the disk is full */
    ALARM_REPORTS,        /* reports_refused */
    ALARM_REPORT_CUT,     /* reports_cut */
    ALARM_COUNT,
};

struct alarms {
    struct log_limit limits[ALARM_COUNT];
};

void alarms_raise(struct alarms *alarms, enum alarm_kind kind, uint64_t now_ms);

/* The same, with a field of its own: the system's error text, the topic. Of several in a period the
 * line has the first one's. */
void alarms_raise_about(struct alarms *alarms, enum alarm_kind kind, uint64_t now_ms,
                        const char *key, const char *text);
