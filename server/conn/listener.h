/* From a listener to a connection in its first phase. Owner worker only; never blocks. */
#pragma once

#include "server/conn/conn_table.h"

enum listener_limits {
    ACCEPT_RETRY_MS = 100, /* after running out of descriptors */
};

void listener_start(struct listener *listener);
void listener_stop(struct listener *listener);

/* For a hand-over (docs/handover.md): connections wait in the backlogs. Those that the kernel has
 * accepted already still come, until listener_all_are_quiet. */
void listener_hold_all(struct conn_table *table);
bool listener_all_are_quiet(const struct conn_table *table);

/* Accepts again; also for the first time. */
void listener_resume_all(struct conn_table *table);

/* While held: another program accepts on them. Closes this one's descriptors, and no more. */
void listener_let_go_all(struct conn_table *table);

/* True when it is stopped and the kernel holds nothing of it. */
bool listener_is_stopped(const struct listener *listener);
void listener_on_retry(struct timer *timer);

/* Makes conn, which was taken from the table, a connection with that descriptor, in no phase yet.
 */
void listener_init_conn(struct conn *conn, struct conn_table *table, int fd,
                        enum listener_role role);

/* A new descriptor becomes a connection in PHASE_TLS or PHASE_HTTP; at the bound it is closed. */
void conn_open(struct conn_table *table, int fd, enum listener_role role);
