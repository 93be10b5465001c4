/* Goal: /healthz notices a loop that hangs, /readyz tells when no client should be sent here. */
#include "tests/unit/server/admin/admin_fixture.h"

TestSuite(admin_health, .init = admin_open, .fini = admin_close);

Test(admin_health, worker_that_has_not_turned_for_long_is_a_fault)
{
    cr_assert_eq(admin_status(admin_get("/healthz")), 200);
    stage.worker.now_ms += WORKER_STUCK_MS;
    cr_assert_eq(admin_status(admin_get("/healthz")), 200);
    stage.worker.now_ms += 1;
    cr_assert_eq(admin_status(admin_get("/healthz")), 503);
    expect_in(admin_get("/healthz"), "{\"status\":\"a worker hangs\"}\n");
}

Test(admin_health, readiness_tells_the_state_of_what_it_needs)
{
    const char *answer = admin_get("/readyz");

    cr_assert_eq(admin_status(answer), 200);
    cr_assert_str_eq(admin_body(answer), "{\"ready\":true,\"state\":\"ready\",\"store\":\"memory\","
                                         "\"certificate\":null,\"keys\":1}\n");
}

Test(admin_health, relay_that_starts_or_stops_is_not_ready)
{
    atomic_store(&stage.shared.access.is_draining, true);
    expect_in(admin_get("/readyz"), "\"state\":\"draining\"");
    cr_assert_eq(admin_status(admin_get("/readyz")), 503);
    atomic_store(&stage.shared.is_ready, false);
    expect_in(admin_get("/readyz"), "\"ready\":false,\"state\":\"starting\"");
    cr_assert_eq(admin_status(admin_get("/readyz")), 503);
}
