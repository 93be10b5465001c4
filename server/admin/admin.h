/* The admin listener's routes: metrics, health, options, the page for an operator, and the booking
 * changes of the access API without a token. It is reached from the machine itself, or from a
 * network that the operator chose; browsers on it are protected by admin_guard.h. Owner worker of
 * the connection only; never blocks. */
#pragma once

#include "server/access/access.h"
#include "server/conn/conn.h"

/* Answers in place of access_handle, with the same actions for the layer above. */
void admin_handle(struct conn *conn, struct access_call *call, struct access_reply *reply);

/* Handlers of the routes, each in a file of its own. */
void admin_metrics_get(struct conn *conn, struct access_call *call, struct access_reply *reply);
void admin_health_get(struct conn *conn, struct access_call *call, struct access_reply *reply);
void admin_ready_get(struct conn *conn, struct access_call *call, struct access_reply *reply);
void admin_config_get(struct conn *conn, struct access_call *call, struct access_reply *reply);
void admin_topics_get(struct conn *conn, struct access_call *call, struct access_reply *reply);
