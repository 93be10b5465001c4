/* Reports of all connections: each worker writes its own, the one that asked puts them together.
 * For GET /status and for the topic "stats", which has a timer on the first worker. */
#pragma once

#include "server/conn/deferred.h"

/* GET /status: defers the request; answer gets the report. False, with nothing deferred, when
 * memory is out. */
bool report_for_request(struct conn *conn, deferred_answer_fn *answer);

/* On the first worker, when its table is ready: the periodic report, until report_stop. */
void report_start(struct conn_table *table);
void report_stop(struct conn_table *table);

/* A message was published on the topic "stats", from any worker: {"cmd":"update"} asks for a
 * report, which comes at most once a second. */
void report_on_command(struct worker *worker, struct bytes payload);
