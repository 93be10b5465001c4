/* Goal: the admin listener answers its own routes and none of the public ones, shows a page that
 * loads nothing from elsewhere, and changes bookings only for requests that no web page can make.
 */
#include "server/admin/admin.h"

#include "tests/unit/server/admin/admin_fixture.h"

TestSuite(admin, .init = admin_open, .fini = admin_close);

Test(admin, page_may_load_only_from_the_listener)
{
    const char *answer = admin_get("/");

    cr_assert_eq(admin_status(answer), 200);
    expect_in(answer, "Content-Type: text/html; charset=utf-8\r\n");
    expect_in(answer, "Content-Security-Policy: default-src 'none'; script-src 'self'; "
                      "style-src 'self'; connect-src 'self'; base-uri 'none'; "
                      "form-action 'none'; frame-ancestors 'none'\r\n");
    expect_in(answer, "Cross-Origin-Resource-Policy: same-origin\r\n");
    cr_assert_null(strstr(admin_body(answer), "http://"));
    cr_assert_null(strstr(admin_body(answer), "https://"));
    cr_assert_null(strstr(admin_body(answer), "style="));
}

Test(admin, page_has_its_script_and_style)
{
    expect_in(admin_get("/admin.js"), "Content-Type: text/javascript; charset=utf-8\r\n");
    expect_in(admin_get("/admin.css"), "Content-Type: text/css; charset=utf-8\r\n");
}

Test(admin, public_routes_are_not_here)
{
    cr_assert_eq(admin_status(admin_get("/session/t0")), 404);
    cr_assert_eq(admin_status(admin_get("/docs")), 404);
    cr_assert_eq(admin_status(admin_get("*")), 404);
    cr_assert_eq(admin_conn->phase, PHASE_HTTP);
}

Test(admin, routes_are_not_on_the_public_ports)
{
    admin_conn = stage_connect(LISTENER_ACCESS);
    cr_assert_eq(admin_status(admin_get("/metrics")), 404);
    admin_conn = stage_connect(LISTENER_RELAY);
    cr_assert_eq(admin_status(admin_get("/metrics")), 404);
    admin_conn = stage_connect(LISTENER_BOTH);
    cr_assert_eq(admin_status(admin_get("/config")), 404);
}

Test(admin, changes_and_tells_nothing_once_another_program_is_the_relay)
{
    atomic_store(&stage.shared.access.is_over, true);
    const char *answer = admin_ask("GET", "/metrics", ADMIN_HOST);

    cr_assert_eq(admin_status(answer), 503);
    expect_in(answer, "Retry-After: 1\r\n");
}

Test(admin, other_methods_are_refused)
{
    expect_in(admin_ask("POST", "/metrics", ADMIN_HOST), "Allow: GET, HEAD\r\n");
    expect_in(admin_ask("PUT", "/bids/deny", ADMIN_HOST), "Allow: GET, HEAD, POST\r\n");
    cr_assert_str_eq(admin_body(admin_ask("HEAD", "/metrics", ADMIN_HOST)), "");
}

Test(admin, names_that_may_lead_here_by_malice_get_health_only)
{
    cr_assert_eq(admin_status(admin_ask("GET", "/metrics", "Host: evil.example\r\n")), 421);
    cr_assert_eq(admin_status(admin_ask("GET", "/", "Host: evil.example\r\n")), 421);
    cr_assert_eq(admin_status(admin_ask("GET", "/healthz", "Host: evil.example\r\n")), 200);
    cr_assert_eq(admin_status(admin_ask("GET", "/metrics", "Host: relay.lab.example\r\n")), 200);
}

Test(admin, booking_is_denied_only_with_the_field_that_pages_cannot_send)
{
    char target[128];

    snprintf(target, sizeof target, "/bids/deny?bid=b7&exp=%lld", (long long)clock_wall_s() + 3600);
    cr_assert_eq(admin_status(admin_ask("POST", target, ADMIN_HOST)), 403);
    cr_assert(!bookings_is_denied(stage.shared.access.bookings, "b7", clock_wall_s()));
    cr_assert_eq(admin_status(admin_ask("POST", target, ADMIN_HOST "Relay-Admin: 1\r\n")), 204);
    cr_assert(bookings_is_denied(stage.shared.access.bookings, "b7", clock_wall_s()));
    cr_assert_str_eq(admin_body(admin_get("/bids/deny")), "{\"booking_ids\":[\"b7\"]}\n");
    snprintf(target, sizeof target, "/bids/allow?bid=b7&exp=%lld",
             (long long)clock_wall_s() + 3600);
    cr_assert_eq(admin_status(admin_ask("POST", target, ADMIN_HOST "Relay-Admin: 1\r\n")), 204);
    cr_assert_str_eq(admin_body(admin_get("/bids/allow")), "{\"booking_ids\":[\"b7\"]}\n");
}

Test(admin, status_lists_connections)
{
    join("t0", true, false);
    const char *answer = admin_get("/status");

    cr_assert_eq(admin_status(answer), 200);
    expect_in(answer, "\"topic\":\"t0\"");
}
