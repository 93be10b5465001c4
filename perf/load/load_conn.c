#include "perf/load/load_conn.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum {
    LOAD_PUBLISHER_READS_MAX = 16,
    OPCODE_CLOSE = 8,
    OPCODE_PING = 9,
    OPCODE_PONG = 10,
};

bool load_conn_is_open(const struct load_conn *conn)
{
    return conn->transport.ops != NULL;
}

PRINTF_LIKE(3, 4)
static void conn_lost(struct load_view *view, struct load_conn *conn, const char *format, ...)
{
    char *reason = view->result->first_cut;
    va_list arguments;

    load_transport_close(&conn->transport);
    if (view->result->whole_run.closed++ > 0) {
        return;
    }
    int len = snprintf(reason, LOAD_CUT_SIZE,
                       "a %s of topic %u: ", conn->publisher != NULL ? "publisher" : "viewer",
                       conn->topic);

    va_start(arguments, format);
    vsnprintf(reason + len, LOAD_CUT_SIZE - (size_t)len, format, arguments);
    va_end(arguments);
    for (char *c = reason; *c != '\0'; c++) {
        *c = *c < ' ' || *c > '~' ? '?' : *c; /* a server's text, printed and put into JSON */
    }
}

/* The frame's payload is a code and a text (RFC 6455 §5.5.1), or empty. */
static void conn_on_close_frame(struct load_view *view, struct load_conn *conn)
{
    const struct frame_reader *reader = &conn->reader;
    unsigned code =
        reader->control_len < 2 ? 1005 : (unsigned)reader->control[0] << 8 | reader->control[1];
    int text_len = reader->control_len < 2 ? 0 : reader->control_len - 2;

    conn_lost(view, conn, "close frame %u \"%.*s\"", code, text_len,
              (const char *)reader->control + 2);
}

/* One write after the other: a frame that has begun must end before the next begins. */
static void conn_flush(struct load_view *view, struct load_conn *conn)
{
    struct load_publisher *publisher = conn->publisher;
    int result = 0;

    if (publisher != NULL && conn->pong_sent == 0) {
        result = load_publisher_flush(publisher, &conn->transport);
    }
    while (result == 0 && conn->pong_sent < conn->pong_len) {
        ssize_t sent = conn->transport.ops->write(&conn->transport, conn->pong + conn->pong_sent,
                                                  conn->pong_len - conn->pong_sent);

        result = sent > 0 ? 0 : sent == 0 ? -EPIPE : (int)sent;
        conn->pong_sent += sent > 0 ? (size_t)sent : 0;
    }
    if (result == 0 && conn->pong_len > 0) {
        conn->pong_len = 0;
        conn->pong_sent = 0;
        result = publisher != NULL ? load_publisher_flush(publisher, &conn->transport) : 0;
    }
    if (result != 0 && result != -EAGAIN) {
        conn_lost(view, conn, "sending failed: %s", strerror(-result));
    }
}

static void conn_on_ping(struct load_view *view, struct load_conn *conn)
{
    view->result->whole_run.pings++;
    if (conn->pong_len > 0) {
        return; /* the latest ping may go unanswered while an answer is under way (§5.5.3) */
    }
    conn->pong_len = load_publisher_control_write(OPCODE_PONG, conn->reader.control,
                                                  conn->reader.control_len, conn->pong);
    conn_flush(view, conn);
}

static void conn_on_pong(struct load_view *view, struct load_conn *conn, uint64_t now_ns)
{
    if (conn->probe_ns == 0) {
        return; /* unasked for, as a server may (§5.5.3) */
    }
    view->result->whole_run.probes_answered++;
    if (conn->probe_ns >= view->window_start_ns && conn->probe_ns < view->window_end_ns) {
        histogram_record(&view->result->latency_ns, now_ns - conn->probe_ns);
    }
    conn->probe_ns = 0;
}

static void conn_on_record(struct load_view *view, struct load_conn *conn, uint64_t now_ns)
{
    const struct stamp *stamp = &conn->reader.stamp;
    struct load_result *result = view->result;

    if (conn->publisher != NULL || stamp->run != view->run || stamp->topic != conn->topic) {
        result->whole_run.foreign++;
        return;
    }
    if (stamp->sequence < conn->next_sequence) {
        result->whole_run.out_of_order++;
    } else {
        conn->next_sequence = stamp->sequence + 1;
    }
    conn->received++;
    result->whole_run.received++;
    if (view->in_window) {
        result->delivered++;
        result->delivered_bytes += conn->reader.record_bytes;
    }
    if (stamp->sent_ns >= view->window_start_ns && stamp->sent_ns < view->window_end_ns) {
        histogram_record(&result->latency_ns, now_ns - stamp->sent_ns);
    }
}

static void conn_on_message(struct load_view *view, const struct load_conn *conn)
{
    const struct frame_reader *reader = &conn->reader;

    if (reader->message_len == 0 || reader->message_len % reader->record_bytes != 0 ||
        !reader->is_binary) {
        view->result->whole_run.damaged++;
    }
    if (reader->message_len > reader->record_bytes) {
        view->result->whole_run.merged += reader->message_len / reader->record_bytes;
    }
    view->result->whole_run.fragmented += reader->message_frames > 1;
}

void load_conn_on_bytes(struct load_view *view, struct load_conn *conn, struct bytes input)
{
    uint64_t now_ns = clock_monotonic_ns();

    while (load_conn_is_open(conn)) {
        switch (frame_reader_next(&conn->reader, &input)) {
        case FRAME_READER_MORE:
            return;
        case FRAME_READER_RECORD:
            conn_on_record(view, conn, now_ns);
            break;
        case FRAME_READER_MESSAGE:
            conn_on_message(view, conn);
            break;
        case FRAME_READER_PING:
            conn_on_ping(view, conn);
            break;
        case FRAME_READER_PONG:
            conn_on_pong(view, conn, now_ns);
            break;
        case FRAME_READER_BAD:
            view->result->whole_run.damaged++;
            conn_lost(view, conn, "not a frame that a server may send");
            break;
        case FRAME_READER_CLOSE:
            conn_on_close_frame(view, conn);
            break;
        }
    }
}

/* False when nothing more can be read now. */
static bool conn_read(struct load_view *view, struct load_conn *conn)
{
    ssize_t len =
        conn->transport.ops->read(&conn->transport, view->receive_buf, LOAD_RECEIVE_BYTES);

    if (len == -EAGAIN || len == -EINTR) {
        return false;
    }
    if (len <= 0) {
        conn_lost(view, conn, "%s", len == 0 ? "end of stream" : strerror((int)-len));
        return false;
    }
    load_conn_on_bytes(view, conn, bytes_of(view->receive_buf, (size_t)len));
    return load_conn_is_open(conn);
}

void load_conn_on_event(struct load_view *view, struct load_conn *conn)
{
    if (conn->publisher != NULL) {
        /* Edge-triggered: read until there is nothing more. A relay sends only pings to a
         * publisher, so this ends; the limit is for servers that echo. */
        for (unsigned i = 0; i < LOAD_PUBLISHER_READS_MAX && conn_read(view, conn); i++) {
        }
        if (load_conn_is_open(conn)) {
            conn_flush(view, conn);
        }
        return;
    }
    while (conn_read(view, conn) && conn->transport.ops->has_pending(&conn->transport)) {
    }
}

void load_conn_publish(struct load_view *view, struct load_conn *conn)
{
    if (!load_conn_is_open(conn) || load_publisher_is_waiting(conn->publisher) ||
        conn->pong_sent > 0) {
        view->result->held += view->in_window;
        return;
    }
    load_publisher_begin(conn->publisher, clock_monotonic_ns());
    view->result->published += view->in_window;
    conn_flush(view, conn);
}

void load_conn_probe(struct load_view *view, struct load_conn *conn)
{
    uint8_t frame[LOAD_PUBLISHER_PONG_BYTES_MAX];
    size_t len = load_publisher_control_write(OPCODE_PING, NULL, 0, frame);

    if (!load_conn_is_open(conn) || conn->probe_ns != 0 || conn->pong_len > 0) {
        view->result->held += view->in_window;
        return;
    }
    conn->probe_ns = clock_monotonic_ns();
    view->result->whole_run.probes++;
    ssize_t sent = conn->transport.ops->write(&conn->transport, frame, len);

    if (sent != (ssize_t)len) { /* an idle socket takes six bytes */
        conn_lost(view, conn, "sending failed: %s", sent < 0 ? strerror((int)-sent) : "no room");
    }
}

void load_conn_end(struct load_conn *conn, bool is_websocket)
{
    uint8_t frame[LOAD_PUBLISHER_PONG_BYTES_MAX];
    static const uint8_t normal[] = {0x03, 0xe8}; /* 1000 */
    bool is_between_frames = conn->publisher == NULL || !load_publisher_is_waiting(conn->publisher);

    if (load_conn_is_open(conn) && is_websocket && is_between_frames) {
        size_t len = load_publisher_control_write(OPCODE_CLOSE, normal, sizeof normal, frame);

        /* Best effort: a server that cannot take it sees the connection end. */
        (void)!conn->transport.ops->write(&conn->transport, frame, len);
    }
    load_transport_close(&conn->transport);
}
