#include "server/websocket/websocket_log.h"

#include "base/log.h"
#include "server/websocket/phase_websocket.h"

static const char *shown_address(const struct conn *conn)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);

    if (conn->table->shared->config->privacy) {
        return "";
    }
    return ws->identity.reported_address[0] != '\0' ? ws->identity.reported_address
                                                    : ws->identity.remote_address;
}

void websocket_log_opened(const struct conn *conn)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);

    log_info("new connection", LOG_TEXT("topic", ws->topic->name),
             LOG_TEXT("booking_id", ws->identity.booking_id), LOG_BOOL("can_read", ws->can_read),
             LOG_BOOL("can_write", ws->can_write), LOG_JSON("scopes", ws->identity.scopes_json),
             LOG_INT("expires_at", ws->exp_s), LOG_TEXT("remote_addr", shown_address(conn)),
             LOG_TEXT("user_agent", ws->identity.user_agent),
             LOG_INT("worker", conn->worker->index));
}

void websocket_log_slow(struct subscriber *subscriber)
{
    const struct conn *conn = container_of(subscriber, struct conn, subscriber);
    const struct phase_websocket *ws = phase_websocket_seen(conn);
    const uint64_t *dropped = subscriber->lag.dropped;

    if (conn->worker->now_ms < conn->table->lag_logged_ms + LAG_LOG_MS) {
        return;
    }
    conn->table->lag_logged_ms = conn->worker->now_ms;
    log_info("slow viewer", LOG_TEXT("topic", ws->topic->name),
             LOG_TEXT("booking_id", ws->identity.booking_id),
             LOG_TEXT("remote_addr", shown_address(conn)),
             LOG_INT("dropped_video", dropped[LAG_POLICY_VIDEO]),
             LOG_INT("dropped_latest", dropped[LAG_POLICY_LATEST]),
             LOG_INT("dropped_data", dropped[LAG_POLICY_DATA]));
}

void websocket_log_closed(const struct conn *conn)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);

    log_info("connection closed", LOG_TEXT("reason", close_reason_text(conn->close_reason)),
             LOG_TEXT("topic", ws->topic->name), LOG_TEXT("booking_id", ws->identity.booking_id),
             LOG_JSON("scopes", ws->identity.scopes_json),
             LOG_TEXT("remote_addr", shown_address(conn)),
             LOG_TEXT("user_agent", ws->identity.user_agent),
             LOG_INT("duration_ms", conn->worker->now_ms - ws->opened_ms),
             LOG_INT("messages_received", ws->messages_received),
             LOG_INT("bytes_received", ws->bytes_received),
             LOG_INT("messages_sent", conn->messages_sent), LOG_INT("bytes_sent", conn->bytes_sent),
             LOG_INT("worker", conn->worker->index));
}
