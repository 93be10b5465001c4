/* Goal: each connection has its way of bytes and its counts in another program, and none is made
 * for a way that is not known. Method: two programs (programs.h), whose tables are used by hand. */
#include "server/handover/live/live_conn.h"

#include "server/handover/handover_reader.h"
#include "server/handover/live/live_format.h"
#include "tests/unit/server/handover/live/programs.h"

static struct program *const first = &programs[0], *const second = &programs[1];
static struct peer peer;
static struct conn *conn;
static uint8_t stream[4096];

static void open_programs(void)
{
    programs_open(1, 1);
    conn = program_join(first, 0, "t0", true, true, &peer);
    program_freeze(first);
}

static void close_programs(void)
{
    programs_close();
    peer_close(&peer);
}

TestSuite(live_conn, .init = open_programs, .fini = close_programs);

static struct handover_record write_conn(uint64_t transport)
{
    struct handover_writer writer;
    struct handover_record record;
    size_t len;

    handover_writer_init(&writer, stream, sizeof stream);
    handover_writer_begin(&writer, LIVE_KIND_IDLE, 1);
    if (transport == UINT64_MAX) {
        live_conn_write(&writer, conn);
    } else {
        handover_writer_number(&writer, LIVE_WEBSOCKET_TRANSPORT, transport);
        handover_writer_number(&writer, LIVE_WEBSOCKET_ROLE, LISTENER_ADMIN);
    }
    cr_assert(handover_writer_end(&writer));
    cr_assert_eq(handover_reader_record(bytes_of(stream, writer.len), &record, &len),
                 HANDOVER_READ);
    return record;
}

static struct conn *make(const struct handover_record *record, const char **ret_fault)
{
    int fd = dup(conn->fd);
    struct conn *made = live_conn_make(record, &second->tables[0], fd, ret_fault);

    if (made == NULL) {
        close(fd);
    }
    return made;
}

static void drop(struct conn *made)
{
    conn_enter_phase(made, PHASE_HTTP);
    hold_include(made);
    live_part_drop(&second->tables[0]);
}

Test(live_conn, counts_are_those_of_before)
{
    const char *fault = "";

    conn->bytes_sent = 1234;
    conn->messages_sent = 5;
    conn->taken_ms = conn->worker->now_ms - 70;
    struct handover_record record = write_conn(UINT64_MAX);
    struct conn *made = make(&record, &fault);

    cr_assert_not_null(made, "%s", fault);
    cr_assert(live_conn_read(&record, made));
    cr_assert_eq(made->bytes_sent, 1234);
    cr_assert_eq(made->messages_sent, 5);
    cr_assert_eq(made->taken_ms, conn->taken_ms);
    cr_assert_eq(made->role, LISTENER_RELAY);
    cr_assert_eq(made->transport, &transport_plain);
    drop(made);
}

Test(live_conn, role_of_the_admin_listener_is_none)
{
    const char *fault = "";
    struct handover_record record = write_conn(LIVE_TRANSPORT_PLAIN);
    struct conn *made = make(&record, &fault);

    cr_assert_not_null(made);
    cr_assert_not(live_conn_read(&record, made));
    drop(made);
}

Test(live_conn, way_that_is_not_known_is_none)
{
    const char *fault = "";
    struct handover_record record = write_conn(LIVE_TRANSPORT_KERNEL + 1);

    cr_assert_null(make(&record, &fault));
    cr_assert_str_eq(fault, "a transport is not known");
}

Test(live_conn, full_table_is_told)
{
    const char *fault = "";
    struct handover_record record = write_conn(UINT64_MAX);

    second->shared.connections_max = 0;
    cr_assert_null(make(&record, &fault));
    cr_assert_str_eq(fault, "there are fewer places for connections");
}

Test(live_conn, one_of_the_admin_listener_stays)
{
    cr_assert(live_conn_may_move(conn));
    conn->role = LISTENER_ADMIN;
    cr_assert_not(live_conn_may_move(conn));
}
