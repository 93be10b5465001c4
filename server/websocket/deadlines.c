#include "server/websocket/deadlines.h"

#include "base/check.h"
#include "base/clock.h"
#include "server/conn/close.h"
#include "server/conn/receive.h"
#include "server/conn/send.h"
#include "server/websocket/close_frame.h"
#include "server/websocket/phase_websocket.h"

enum { TAKING_PONG_TIMEOUTS = 4 };

static uint64_t ping_interval_ms(const struct conn *conn)
{
    return (uint64_t)conn->table->shared->config->ping_interval_ms;
}

/* From a ping that was sent to its pong. */
static uint64_t pong_timeout_ms(const struct conn *conn)
{
    return ping_interval_ms(conn) * 10 / 9;
}

/* From the first byte of a message to its last: a minute, where pings are sent by default. */
static uint64_t assembly_timeout_ms(const struct conn *conn)
{
    return ping_interval_ms(conn) * 12 / 5;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void arm_liveness(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    uint64_t due_ms = earlier(ws->ping_due_ms, ws->pong_due_ms);

    if (conn->is_held) {
        return;
    }
    if (ws->assembly_started_ms != 0) {
        due_ms = earlier(due_ms, ws->assembly_started_ms + assembly_timeout_ms(conn));
    }
    if (ws->losses.are_too_many) {
        due_ms = conn->worker->now_ms;
    }
    timer_arm(&conn->worker->timers, &conn->liveness, due_ms);
}

void deadlines_hasten(struct conn *conn)
{
    arm_liveness(conn);
}

/* A slow viewer that takes bytes is alive: our ping is still on its way behind them. Small windows
 * open seldom, so the last seconds count. */
static bool is_taking(struct conn *conn)
{
    uint64_t write_timeout_ms = (uint64_t)conn->table->shared->config->write_timeout_ms;
    uint64_t window_ms = earlier(write_timeout_ms, TAKING_PONG_TIMEOUTS * pong_timeout_ms(conn));
    uint64_t now_ms = conn->worker->now_ms;

    return conn_send_taken_since(conn, now_ms > window_ms ? now_ms - window_ms : 0);
}

/* The pong may be among what is not read yet. Once only: of a TLS record that never ends, bytes
 * wait for ever. */
static bool may_be_unread(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    bool waits = !ws->pong_is_graced && (conn_receive_waits(conn) || !inbox_is_empty(&ws->inbox));

    ws->pong_is_graced |= waits;
    return waits;
}

/* A pong is due for a ping that was sent, not for one that memory had no room for, and from the
 * first one that is not answered. */
static void send_ping(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    struct message *message =
        message_create_control(conn->worker, WS_OPCODE_PING, bytes_of(NULL, 0));

    ws->ping_due_ms = conn->worker->now_ms + ping_interval_ms(conn);
    if (message != NULL && conn_send(conn, message) && ws->pong_due_ms == NO_PONG_DUE) {
        ws->pong_due_ms = conn->worker->now_ms + pong_timeout_ms(conn);
    }
    is_taking(conn); /* what it took before the ping is seen before it */
}

static bool assembly_is_late(const struct conn *conn)
{
    uint64_t started_ms = phase_websocket_seen(conn)->assembly_started_ms;

    return started_ms != 0 && conn->worker->now_ms - started_ms >= assembly_timeout_ms(conn);
}

static void on_liveness(struct timer *timer)
{
    struct conn *conn = container_of(timer, struct conn, liveness);
    struct phase_websocket *ws = phase_websocket_of(conn);
    uint64_t now_ms = conn->worker->now_ms;

    CHECK(conn->phase == PHASE_WEBSOCKET);
    if (ws->losses.are_too_many) {
        close_frame_say(conn, CLOSE_TOO_SLOW, "too slow: lost more data than this relay allows");
        return;
    }
    if (now_ms >= ws->pong_due_ms) {
        if (!is_taking(conn) && !may_be_unread(conn)) {
            conn_close_now(conn, CLOSE_NO_PONG);
            return;
        }
        ws->pong_due_ms = now_ms + PONG_GRACE_MS;
    }
    if (assembly_is_late(conn)) {
        close_frame_say(conn, CLOSE_ASSEMBLY_TIMEOUT, "message not completed in time");
        return;
    }
    if (now_ms >= ws->ping_due_ms) {
        send_ping(conn);
    }
    arm_liveness(conn);
}

/* Token times are of the wall clock, which may step: the timer asks it again. */
static void arm_expiry(struct conn *conn)
{
    int64_t left_s = phase_websocket_of(conn)->exp_s - clock_wall_s();
    uint64_t wait_ms;

    if (conn->is_held) {
        return;
    }
    if (left_s <= 0) {
        wait_ms = 0;
    } else {
        uint64_t into_second_ms = clock_wall_ns() / 1000000u % 1000u;

        wait_ms = earlier((uint64_t)left_s, 3600) * 1000 - into_second_ms;
    }
    timer_arm(&conn->worker->timers, &conn->expiry, conn->worker->now_ms + wait_ms);
}

static void on_expiry(struct timer *timer)
{
    struct conn *conn = container_of(timer, struct conn, expiry);

    CHECK(conn->phase == PHASE_WEBSOCKET);
    if (clock_wall_s() < phase_websocket_of(conn)->exp_s) {
        arm_expiry(conn);
        return;
    }
    close_frame_say(conn, CLOSE_EXPIRED, "token expired");
}

void deadlines_init(struct conn *conn)
{
    timer_init(&conn->liveness, on_liveness);
    timer_init(&conn->expiry, on_expiry);
}

void deadlines_start(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    ws->ping_due_ms = conn->worker->now_ms + ping_interval_ms(conn);
    ws->pong_due_ms = NO_PONG_DUE;
    deadlines_init(conn);
    arm_liveness(conn);
    arm_expiry(conn);
}

void deadlines_resume(struct conn *conn)
{
    arm_liveness(conn);
    arm_expiry(conn);
}

void deadlines_renew(struct conn *conn)
{
    arm_expiry(conn);
}

void deadlines_stop(struct conn *conn)
{
    timer_disarm(&conn->liveness);
    timer_disarm(&conn->expiry);
}

void deadlines_begin_message(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    if (ws->assembly_started_ms == 0) {
        ws->assembly_started_ms = conn->worker->now_ms;
        arm_liveness(conn);
    }
}

void deadlines_take_pong(struct conn *conn)
{
    phase_websocket_of(conn)->pong_due_ms = NO_PONG_DUE;
    phase_websocket_of(conn)->pong_is_graced = false;
}
