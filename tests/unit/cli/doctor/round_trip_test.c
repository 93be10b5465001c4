/* Goal: what keeps a token from opening a WebSocket is told by its kind. A relay that serves is met
 * in tests/e2e/test_doctor.py. */
#include "cli/doctor/round_trip.h"

#include "tests/unit/cli/doctor/checks_fixture.h"

TestSuite(round_trip, .init = open_findings, .fini = close_findings);

Test(round_trip, ends_with_a_finding_when_nothing_listens)
{
    struct token_keys *keys = token_keys_create("sesame");

    round_trip_check(&findings, "http://127.0.0.1:1/", keys, "");
    expect_finding("\"check\":\"round_trip\",\"state\":\"fault\"");
    expect_finding("open the port in the firewall");
    token_keys_unref(keys);
}

Test(round_trip, address_that_is_none_is_told)
{
    struct token_keys *keys = token_keys_create("sesame");

    round_trip_check(&findings, "what", keys, "");
    expect_finding("\"state\":\"fault\"");
    token_keys_unref(keys);
}
