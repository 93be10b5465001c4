/* Reports of all connections: each worker writes its own in pieces, one per turn, and the first one
 * puts them together. One report of each shape is made at a time. For GET /status here, for the
 * topic "stats" in report/stats_topic.h. */
#pragma once

#include "server/conn/conn_table.h"
#include "server/conn/deferred.h"
#include "server/hub/message.h"

enum report_limits {
    REPORT_BYTES_MAX = MESSAGE_BYTES_MAX - 16 * 1024, /* of the connections, without the rest */
    REPORT_SLOTS_PER_TURN = 128, /* places of a worker's table that are looked at in one turn */
    REPORT_ASKS_MAX = 64,        /* requests that wait for the next report; more are refused */
};

struct report;

/* On the first worker, with a report that the receiver destroys. */
typedef void report_done_fn(struct worker *worker, struct report *report);

/* On the first worker: a report of what is there from now on is made, and given to on_done (the
 * same function for all of a shape). Without memory there is none. */
void report_want(struct worker *worker, enum report_shape shape, report_done_fn *on_done);

/* Bytes that report_assemble may use. */
size_t report_room(const struct report *report);
/* The whole as JSON, without a zero at its end. Returns its length. */
size_t report_assemble(const struct report *report, const struct conn_shared *shared, char *text);

void report_destroy(struct report *report);

/* GET /status: defers the request; answer gets the report. False, with nothing deferred, when
 * memory is out. */
bool report_for_request(struct conn *conn, deferred_answer_fn *answer);
