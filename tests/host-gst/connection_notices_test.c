/* Goal: a user learns each cause once, is not flooded by a connection that comes and goes, and sees
 * the error code that fits. Method: made-up events and times; no network. */
#include "host-gst/link/connection_notices.h"

#include <gst/check/gstcheck.h>

#define FAULT(name) RELAY_CLIENT_FAULT_##name

static struct relay_client_event event_of(enum relay_client_state state,
                                          enum relay_client_fault fault, int code)
{
    struct relay_client_event event = {.state = state, .fault = fault, .message = "cause"};

    if (fault == RELAY_CLIENT_FAULT_CLOSED) {
        event.close_code = code;
    } else {
        event.http_status = code;
    }
    return event;
}

struct step {
    guint64 at_ms;
    enum relay_client_state state;
    enum relay_client_fault fault;
    int code;
    enum notice notice;
};

static void check_steps(const struct step *steps, guint count)
{
    struct connection_notices notices;

    connection_notices_init(&notices, false, false);
    for (guint i = 0; i < count; i++) {
        struct relay_client_event event = event_of(steps[i].state, steps[i].fault, steps[i].code);
        enum notice notice = connection_notices_next(&notices, &event, steps[i].at_ms);

        fail_unless(notice == steps[i].notice, "step %u: %d", i, notice);
    }
}

GST_START_TEST(warns_once_per_cause_and_minute)
{
    static const struct step steps[] = {
        {1, RELAY_CLIENT_ACCESSING, FAULT(NONE), 0, NOTICE_NONE},
        {2, RELAY_CLIENT_WAITING, FAULT(CONNECT), 0, NOTICE_WARNING},
        {500, RELAY_CLIENT_WAITING, FAULT(CONNECT), 0, NOTICE_NONE},
        {900, RELAY_CLIENT_WAITING, FAULT(RESOLVE), 0, NOTICE_WARNING},
        {1000, RELAY_CLIENT_WAITING, FAULT(CONNECT), 0, NOTICE_NONE},
        {1100, RELAY_CLIENT_WAITING, FAULT(HTTP), 404, NOTICE_WARNING},
        {1200, RELAY_CLIENT_WAITING, FAULT(HTTP), 404, NOTICE_NONE},
        {1300, RELAY_CLIENT_WAITING, FAULT(HTTP), 503, NOTICE_WARNING},
        {60001, RELAY_CLIENT_WAITING, FAULT(CONNECT), 0, NOTICE_NONE},
        {60002, RELAY_CLIENT_WAITING, FAULT(CONNECT), 0, NOTICE_WARNING},
        {60003, RELAY_CLIENT_WAITING, FAULT(CONNECT), 0, NOTICE_NONE},
    };

    check_steps(steps, G_N_ELEMENTS(steps));
}
GST_END_TEST;

GST_START_TEST(says_connected_first_and_after_each_warning)
{
    static const struct step steps[] = {
        {1, RELAY_CLIENT_CONNECTED, FAULT(NONE), 0, NOTICE_INFO},
        {100, RELAY_CLIENT_WAITING, FAULT(CLOSED), 1001, NOTICE_WARNING},
        {200, RELAY_CLIENT_CONNECTED, FAULT(NONE), 0, NOTICE_INFO},
        /* It flaps: neither is said again. */
        {300, RELAY_CLIENT_WAITING, FAULT(CLOSED), 1001, NOTICE_NONE},
        {400, RELAY_CLIENT_CONNECTED, FAULT(NONE), 0, NOTICE_NONE},
        {500, RELAY_CLIENT_WAITING, FAULT(CLOSED), 1008, NOTICE_WARNING},
        {600, RELAY_CLIENT_CONNECTED, FAULT(NONE), 0, NOTICE_INFO},
        /* A connection that lived is a new story. */
        {11000, RELAY_CLIENT_WAITING, FAULT(CLOSED), 1008, NOTICE_WARNING},
        {11100, RELAY_CLIENT_FAILED, FAULT(CLOSED), 1008, NOTICE_ERROR},
        {11200, RELAY_CLIENT_IDLE, FAULT(NONE), 0, NOTICE_NONE},
    };

    check_steps(steps, G_N_ELEMENTS(steps));
}
GST_END_TEST;

GST_START_TEST(warns_of_an_insecure_connection_once_per_minute)
{
    static const struct {
        guint64 at_ms;
        enum relay_client_state state;
        bool due;
    } steps[] = {
        {1, RELAY_CLIENT_CONNECTING, false},    {2, RELAY_CLIENT_CONNECTED, true},
        {500, RELAY_CLIENT_WAITING, false},     {1000, RELAY_CLIENT_CONNECTED, false},
        {60001, RELAY_CLIENT_CONNECTED, false}, {60002, RELAY_CLIENT_CONNECTED, true},
    };
    struct connection_notices insecure, verified;

    connection_notices_init(&insecure, true, false);
    connection_notices_init(&verified, false, false);
    for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
        struct relay_client_event event = event_of(steps[i].state, FAULT(NONE), 0);

        fail_unless_equals_int(connection_notices_insecure_due(&insecure, &event, steps[i].at_ms),
                               steps[i].due);
        fail_if(connection_notices_insecure_due(&verified, &event, steps[i].at_ms));
    }
}
GST_END_TEST;

static const struct {
    enum relay_client_fault fault;
    int code;
    int before, after; /* the first connection of a sink; */
    int of_source;     /* before that of a source */
} errors[] = {
    {FAULT(TOKEN_FILE), 0, GST_RESOURCE_ERROR_NOT_FOUND, GST_RESOURCE_ERROR_NOT_FOUND,
     GST_RESOURCE_ERROR_NOT_FOUND},
    {FAULT(RESOLVE), 0, GST_RESOURCE_ERROR_OPEN_WRITE, GST_RESOURCE_ERROR_WRITE,
     GST_RESOURCE_ERROR_OPEN_READ},
    {FAULT(CONNECT), 0, GST_RESOURCE_ERROR_OPEN_WRITE, GST_RESOURCE_ERROR_WRITE,
     GST_RESOURCE_ERROR_OPEN_READ},
    {FAULT(TLS), 0, GST_RESOURCE_ERROR_OPEN_WRITE, GST_RESOURCE_ERROR_OPEN_WRITE,
     GST_RESOURCE_ERROR_OPEN_READ},
    {FAULT(TIMEOUT), 0, GST_RESOURCE_ERROR_OPEN_WRITE, GST_RESOURCE_ERROR_WRITE,
     GST_RESOURCE_ERROR_OPEN_READ},
    {FAULT(REFUSED), 401, GST_RESOURCE_ERROR_NOT_AUTHORIZED, GST_RESOURCE_ERROR_NOT_AUTHORIZED,
     GST_RESOURCE_ERROR_NOT_AUTHORIZED},
    {FAULT(HTTP), 404, GST_RESOURCE_ERROR_NOT_FOUND, GST_RESOURCE_ERROR_NOT_FOUND,
     GST_RESOURCE_ERROR_NOT_FOUND},
    {FAULT(HTTP), 409, GST_RESOURCE_ERROR_BUSY, GST_RESOURCE_ERROR_BUSY, GST_RESOURCE_ERROR_BUSY},
    {FAULT(HTTP), 500, GST_RESOURCE_ERROR_OPEN_WRITE, GST_RESOURCE_ERROR_WRITE,
     GST_RESOURCE_ERROR_OPEN_READ},
    {FAULT(CLOSED), 1006, GST_RESOURCE_ERROR_OPEN_WRITE, GST_RESOURCE_ERROR_WRITE,
     GST_RESOURCE_ERROR_OPEN_READ},
    {FAULT(STALLED), 0, GST_RESOURCE_ERROR_OPEN_WRITE, GST_RESOURCE_ERROR_WRITE,
     GST_RESOURCE_ERROR_OPEN_READ},
};

GST_START_TEST(each_fault_has_its_error)
{
    struct relay_client_event event =
        event_of(RELAY_CLIENT_WAITING, errors[__i__].fault, errors[__i__].code);

    struct connection_notices sink, source;

    connection_notices_init(&sink, false, false);
    connection_notices_init(&source, false, true);
    fail_unless(connection_notices_error_of(&sink, &event).domain == GST_RESOURCE_ERROR);
    fail_unless_equals_int(connection_notices_error_of(&sink, &event).code, errors[__i__].before);
    fail_unless_equals_int(connection_notices_error_of(&source, &event).code,
                           errors[__i__].of_source);
    sink.connected_before = true;
    fail_unless_equals_int(connection_notices_error_of(&sink, &event).code, errors[__i__].after);
}
GST_END_TEST;

GST_START_TEST(only_a_receiver_ends_cleanly)
{
    struct relay_client_event clean = event_of(RELAY_CLIENT_FAILED, FAULT(CLOSED), 1000);
    struct relay_client_event away = event_of(RELAY_CLIENT_FAILED, FAULT(CLOSED), 1001);
    struct relay_client_event again = event_of(RELAY_CLIENT_WAITING, FAULT(CLOSED), 1000);
    struct connection_notices sink, source;

    connection_notices_init(&sink, false, false);
    connection_notices_init(&source, false, true);
    fail_unless_equals_int(connection_notices_next(&sink, &clean, 1), NOTICE_ERROR);
    fail_unless_equals_int(connection_notices_next(&source, &away, 1), NOTICE_ERROR);
    fail_unless_equals_int(connection_notices_next(&source, &again, 1), NOTICE_WARNING);
    fail_unless_equals_int(connection_notices_next(&source, &clean, 1), NOTICE_NONE);
}
GST_END_TEST;

static Suite *connection_notices_suite(void)
{
    Suite *suite = suite_create("connection_notices");
    TCase *tests = tcase_create("notices");

    suite_add_tcase(suite, tests);
    tcase_add_test(tests, warns_once_per_cause_and_minute);
    tcase_add_test(tests, says_connected_first_and_after_each_warning);
    tcase_add_test(tests, warns_of_an_insecure_connection_once_per_minute);
    tcase_add_test(tests, only_a_receiver_ends_cleanly);
    tcase_add_loop_test(tests, each_fault_has_its_error, 0, G_N_ELEMENTS(errors));
    return suite;
}

GST_CHECK_MAIN(connection_notices);
