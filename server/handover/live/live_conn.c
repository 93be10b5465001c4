#include "server/handover/live/live_conn.h"

#include "server/conn/listener.h"
#include "server/handover/live/live_format.h"
#include "server/handover/live/live_scalars.h"
#include "server/handover/live/live_tls.h"

#define COUNT(member, id)    LIVE_SCALAR_COUNT(struct conn, member, LIVE_WEBSOCKET_##id)
#define PAST(member, id)     LIVE_SCALAR_PAST(struct conn, member, LIVE_WEBSOCKET_##id)
#define UP_TO(member, id, m) LIVE_SCALAR_NUMBER(struct conn, member, LIVE_WEBSOCKET_##id, m)

static const struct live_scalar of_conn[] = {
    UP_TO(role, ROLE, LISTENER_BOTH),
    COUNT(messages_sent, MESSAGES_SENT),
    COUNT(bytes_sent, BYTES_SENT),
    COUNT(bytes_acked, BYTES_ACKED),
    PAST(taken_ms, TAKEN_MS),
    PAST(send_progress_ms, SEND_PROGRESS_MS),
    PAST(first_sent_ms, FIRST_SENT_MS),
    PAST(last_sent_ms, LAST_SENT_MS),
    COUNT(subscriber.queue.payload_sent, PAYLOAD_SENT),
    UP_TO(peer_ended, PEER_ENDED, 1),
};

bool live_conn_may_move(const struct conn *conn)
{
    return conn->is_held && !conn->ends_later && !conn->receive_blocked &&
           conn->role != LISTENER_ADMIN && live_tls_may_move(conn);
}

void live_conn_write(struct handover_writer *writer, const struct conn *conn)
{
    handover_writer_number(writer, LIVE_WEBSOCKET_TRANSPORT, live_tls_transport(conn));
    live_scalars_write(writer, of_conn, ARRAY_LENGTH(of_conn), conn, conn->worker);
}

struct conn *live_conn_make(const struct handover_record *record, struct conn_table *table, int fd,
                            const char **fault)
{
    uint64_t number;

    if (!handover_reader_number(record, LIVE_WEBSOCKET_TRANSPORT, &number) ||
        live_tls_transport_of(number) == NULL) {
        *fault = "a transport is not known";
        return NULL;
    }
    struct conn *conn = conn_table_take(table);

    if (conn == NULL) {
        *fault = "there are fewer places for connections";
        return NULL;
    }
    listener_init_conn(conn, table, fd, LISTENER_RELAY);
    conn->transport = live_tls_transport_of(number);
    return conn;
}

bool live_conn_read(const struct handover_record *record, struct conn *conn)
{
    return live_scalars_read(record, of_conn, ARRAY_LENGTH(of_conn), conn, conn->worker);
}
