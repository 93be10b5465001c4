/* Goal: records made and opened in user space carry all bytes in order, however the kernel cuts
 * them. (tls_batch_test.c: how they are sent.) Method: a client of OpenSSL behind a fake kernel
 * (tls_stage.h). */
#include "server/conn/tls/transport_user.h"

#include "tests/unit/server/conn/tls/user_cases.h"

static void open_connection(void)
{
    tls_stage_open_with(TLS1_2_VERSION);
    conn = tls_connect();
    cr_assert_eq(conn->transport, &transport_user);
    expect_heard("enter ");
}

TestSuite(transport_user, .init = open_connection, .fini = tls_stage_close);

USER_CASES(transport_user)

Test(transport_user, session_moves_with_the_beginning_of_a_record)
{
    struct bytes records = client_records("hello");
    struct conn other = {.worker = &stage.worker};
    struct conn_tls *tls = &conn->tls;

    receive(bytes_of(records.data, 3));
    cr_assert(transport_user.take_over(&other, tls));
    cr_assert_eq(other.tls.session, tls->session);
    transport_user.let_go(conn);
    cr_assert_null(tls->session);
    tls->session = other.tls.session; /* and back */
    receive(bytes_skip(records, 3));
    expect_heard("hello ");
}
