/* The topic "stats": a report of all connections now and then, and when a viewer asks for one.
 * Timer and reports are of the first worker. */
#pragma once

#include "server/conn/conn_table.h"

/* On the first worker, when its table is ready: a report every RELAY_STATS_EVERY, until
 * stats_topic_stop. */
void stats_topic_start(struct conn_table *table);
void stats_topic_stop(struct conn_table *table);

/* A message was published on the topic, on any worker: {"cmd":"update"} asks for a report, which
 * comes at most once a second. */
void stats_topic_on_command(struct worker *worker, struct bytes payload);
