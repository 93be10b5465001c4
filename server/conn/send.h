/* The one send of a connection: never more than one is in flight on a socket, because two could
 * interleave. Owner worker only; never blocks. */
#pragma once

#include "server/conn/conn.h"

void conn_send_init(struct conn *conn);
/* Queues a message of the caller's and gives up the caller's reference. False when it was dropped.
 */
bool conn_send(struct conn *conn, struct message *message);
/* Sends what is queued; at the end of the turn, so that a burst goes out in one call. */
void conn_send_next(struct conn *conn);
/* After send_op served something else than the queue. */
void conn_send_restore(struct conn *conn);
/* Something became ready to send: in the queue or beside it. */
void conn_send_wake(struct conn *conn);
/* Ends what was begun and not wholly sent: nothing of it is in flight any more, and nothing more of
 * it will be sent, because the connection ends. No send may be in flight. */
void conn_send_abandon(struct conn *conn);
/* Nothing is queued, made or in flight. */
bool conn_send_idle(const struct conn *conn);
/* Asks the kernel whether the peer took bytes since the last time, then whether nothing moved for
 * RELAY_WRITE_TIMEOUT although something waits. */
bool conn_send_stalled(struct conn *conn);
/* When to look again while a send is in flight. */
uint64_t conn_send_look_ms(const struct conn *conn);
/* Something waits for the peer, and a look after since_ms found that it takes bytes. It looks
 * now, too: a first call tells the time of those that follow from what was taken before. */
bool conn_send_taken_since(struct conn *conn, uint64_t since_ms);
