/* Goal: what the application's threads and the client's thread say to each other arrives once. */
#include "client/client.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/credential.h"

static struct relay_client *client;
static struct relay_client_event last_event;
static unsigned events;

static void on_event(const struct relay_client_event *event, void *context)
{
    last_event = *event;
    events++;
}

static void start(void)
{
    struct relay_client_options options = {.location = "https://relay.invalid/session/t",
                                           .token = "eyJ.a.b"};
    struct relay_client_callbacks callbacks = {.on_event = on_event};
    char error[RELAY_CLIENT_ERROR_SIZE];

    client = relay_client_create(&options, &callbacks, error);
    cr_assert_not_null(client, "%s", error);
}

static void stop(void)
{
    relay_client_destroy(client);
}

TestSuite(client, .init = start, .fini = stop);

static bool is_awake(void)
{
    struct pollfd fd = {.fd = client->wake_fd, .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

Test(client, many_wakes_are_one_until_it_is_taken)
{
    uint32_t linger_ms;

    cr_expect(!is_awake());
    client_wake(client);
    client_wake(client);
    cr_expect(is_awake());
    cr_expect(!client_wake_taken(client, &linger_ms));
    cr_expect(!is_awake());
    cr_expect(!client_wake_taken(client, &linger_ms)); /* without one: does not block */
    client_wake(client);
    cr_expect(is_awake());
}

Test(client, a_stop_is_told_with_its_linger)
{
    uint32_t linger_ms = 0;

    client->stopping = true;
    client->linger_ms = 1234;
    client_wake(client);
    cr_expect(client_wake_taken(client, &linger_ms));
    cr_expect_eq(linger_ms, 1234);
    client->stopping = false;
}

Test(client, a_new_timing_is_seen)
{
    struct relay_client_options options = {.connect_timeout_ms = 4321};

    relay_client_set_timing(client, &options);
    cr_expect_eq(client_timing(client).connect_timeout_ms, 4321);
}

Test(client, a_state_is_noted_and_told)
{
    struct relay_client_event event = {.state = RELAY_CLIENT_WAITING,
                                       .fault = RELAY_CLIENT_FAULT_REFUSED,
                                       .http_status = 401,
                                       .message = "refused"};
    struct relay_client_statistics statistics;

    client_enter_state(client, &event);
    cr_expect_eq(events, 1);
    cr_expect_eq(last_event.http_status, 401);
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.state, RELAY_CLIENT_WAITING);
    cr_expect_eq(statistics.last_fault, RELAY_CLIENT_FAULT_REFUSED);
    cr_expect_eq(statistics.last_http_status, 401);
    cr_expect_str_eq(statistics.last_error, "refused");
    /* A state without a fault leaves the last one to be read. */
    event = (struct relay_client_event){.state = RELAY_CLIENT_IDLE, .message = "stopped"};
    client_enter_state(client, &event);
    relay_client_statistics(client, &statistics);
    cr_expect_str_eq(statistics.last_error, "refused");
    cr_expect_eq(statistics.state, RELAY_CLIENT_IDLE);
}

static void expect_token(const char *expected)
{
    struct fault fault;
    char *token = NULL;

    cr_assert_eq(client_token_take(client, &token, &fault), PROGRESS_DONE, "%s", fault.text);
    cr_expect_str_eq(token, expected);
    credential_release(token);
}

Test(client, the_token_wins_over_its_file_and_both_may_change)
{
    char path[] = "/tmp/relay-client-test-XXXXXX";
    int fd = mkstemp(path);
    struct relay_client_statistics statistics;
    struct fault fault;
    char *token;

    cr_assert_eq(write(fd, "eyJ.c.d\n", 8), 8);
    close(fd);
    cr_assert_eq(relay_client_set_token_file(client, path), 0);
    expect_token("eyJ.a.b");
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.token_file_mtime_s, 0);
    cr_assert_eq(relay_client_set_token(client, NULL), 0);
    expect_token("eyJ.c.d");
    relay_client_statistics(client, &statistics);
    cr_expect_gt(statistics.token_file_mtime_s, 0);
    unlink(path);
    cr_expect_eq(client_token_take(client, &token, &fault), PROGRESS_FAILED);
    cr_expect_eq(fault.kind, RELAY_CLIENT_FAULT_TOKEN_FILE);
    cr_assert_eq(relay_client_set_token_file(client, NULL), 0);
    cr_expect_eq(client_token_take(client, &token, &fault), PROGRESS_FAILED);
    cr_expect_str_eq(fault.text, "no token and no token file");
}
