/* Goal: attempts follow one another until one holds, the tries are used up or a stop comes, and
 * each change of state is told in order. Method: the client's loop runs in the test's own thread
 * against a port that refuses; a callback stops it. */
#include "client/connection.h"

#include "tests/unit/client/net/loopback.h"

enum { EVENTS_MAX = 32 };

static struct loopback loopback;
static struct relay_client *client;
static struct relay_client_event events[EVENTS_MAX];
static char messages[EVENTS_MAX][256];
static unsigned events_count;
static enum relay_client_state stop_at; /* IDLE: never */

static void on_event(const struct relay_client_event *event, void *context)
{
    cr_assert_lt(events_count, EVENTS_MAX);
    events[events_count] = *event;
    snprintf(messages[events_count], sizeof messages[0], "%s", event->message);
    events_count++;
    if (stop_at != RELAY_CLIENT_IDLE && event->state == stop_at) {
        pthread_mutex_lock(&client->mutex);
        client->stopping = true;
        client_wake(client);
        pthread_mutex_unlock(&client->mutex);
    }
}

static void start(void)
{
    loopback_open(&loopback);
    loopback_close(&loopback); /* its port refuses now */
}

static void stop(void)
{
    relay_client_destroy(client);
}

TestSuite(connection, .init = start, .fini = stop);

static void run(struct relay_client_options options)
{
    struct relay_client_callbacks callbacks = {.on_event = on_event};
    char error[RELAY_CLIENT_ERROR_SIZE], location[64];

    snprintf(location, sizeof location, "http://127.0.0.1:%u/session/t", loopback.port);
    options.location = location;
    options.token = options.token_file == NULL ? "eyJ.a.b" : NULL;
    options.reconnect_delay_ms = 1;
    options.reconnect_delay_max_ms = 1;
    client = relay_client_create(&options, &callbacks, error);
    cr_assert_not_null(client, "%s", error);
    connection_run(client);
}

static void expect_states(unsigned count, const enum relay_client_state *states)
{
    cr_assert_eq(events_count, count);
    for (unsigned i = 0; i < count; i++) {
        cr_expect_eq(events[i].state, states[i], "%u: %s", i, messages[i]);
        cr_expect_eq(events[i].previous_state, i == 0 ? RELAY_CLIENT_IDLE : states[i - 1]);
    }
}

Test(connection, one_try_without_reconnecting)
{
    static const enum relay_client_state states[] = {RELAY_CLIENT_ACCESSING, RELAY_CLIENT_FAILED};
    char expected[128];

    run((struct relay_client_options){.no_reconnect = true});
    expect_states(2, states);
    snprintf(expected, sizeof expected, "asking for access at 127.0.0.1:%u", loopback.port);
    cr_expect_str_eq(messages[0], expected);
    snprintf(expected, sizeof expected,
             "access 127.0.0.1:%u: 127.0.0.1 port %u: Connection refused", loopback.port,
             loopback.port);
    cr_expect_str_eq(messages[1], expected);
    cr_expect_eq(events[1].fault, RELAY_CLIENT_FAULT_CONNECT);
    cr_expect_eq(events[1].attempt, 1);
}

Test(connection, tries_are_used_up)
{
    static const enum relay_client_state states[] = {RELAY_CLIENT_ACCESSING, RELAY_CLIENT_WAITING,
                                                     RELAY_CLIENT_ACCESSING, RELAY_CLIENT_WAITING,
                                                     RELAY_CLIENT_ACCESSING, RELAY_CLIENT_FAILED};
    struct relay_client_statistics statistics;

    run((struct relay_client_options){.retries_max = 2});
    expect_states(6, states);
    cr_expect_eq(events[5].attempt, 3);
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.connect_failures, 3);
    cr_expect_eq(statistics.connects, 0);
    cr_expect_gt(statistics.last_retry_ns, 0);
}

Test(connection, a_stop_ends_a_wait)
{
    static const enum relay_client_state states[] = {RELAY_CLIENT_ACCESSING, RELAY_CLIENT_WAITING,
                                                     RELAY_CLIENT_IDLE};

    stop_at = RELAY_CLIENT_WAITING;
    run((struct relay_client_options){0});
    expect_states(3, states);
    cr_expect_str_eq(messages[2], "stopped");
}

Test(connection, a_stop_ends_an_attempt)
{
    static const enum relay_client_state states[] = {RELAY_CLIENT_ACCESSING, RELAY_CLIENT_IDLE};

    stop_at = RELAY_CLIENT_ACCESSING;
    run((struct relay_client_options){0});
    cr_expect_eq(events[0].state, states[0]);
    cr_expect_eq(events[events_count - 1].state, states[1]);
    cr_expect_leq(events_count, 3); /* the refusal may come in the same turn */
}

Test(connection, a_token_file_that_is_missing_is_the_fault)
{
    run((struct relay_client_options){.token_file = "/nonexistent/token", .no_reconnect = true});
    cr_assert_eq(events_count, 2);
    cr_expect_eq(events[1].state, RELAY_CLIENT_FAILED);
    cr_expect_eq(events[1].fault, RELAY_CLIENT_FAULT_TOKEN_FILE);
    cr_expect_not_null(strstr(messages[1], "/nonexistent/token"), "%s", messages[1]);
}

/* A listener that never accepts still lets TCP connect, so the answer is what is missing. */
Test(connection, an_attempt_has_a_bounded_time)
{
    loopback_open(&loopback);
    run((struct relay_client_options){.connect_timeout_ms = 50, .no_reconnect = true});
    cr_assert_eq(events_count, 2);
    cr_expect_eq(events[1].fault, RELAY_CLIENT_FAULT_TIMEOUT);
    cr_expect_not_null(strstr(messages[1], ": no answer to the access request within 50 ms"), "%s",
                       messages[1]);
    loopback_close(&loopback);
}
