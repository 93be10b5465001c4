/* The public functions without a network: before the start, after a stop, and misuse. */
#include "client/relay_client.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct relay_client *client_of(const char *location)
{
    struct relay_client_options options = {.location = location, .token = "eyJ.a.b"};
    char error[RELAY_CLIENT_ERROR_SIZE];
    struct relay_client *client = relay_client_create(&options, NULL, error);

    cr_assert_not_null(client, "%s", error);
    return client;
}

Test(relay_client, does_nothing_before_the_start)
{
    struct relay_client *client = client_of("https://relay.invalid/session/t");
    struct relay_client_statistics statistics;

    cr_assert_eq(relay_client_send(client, RELAY_CLIENT_TEXT, "x", 1, 0), -ESHUTDOWN);
    cr_assert_eq(relay_client_wait_room(client, 1, false, 1000), -ESHUTDOWN);
    cr_assert_eq(relay_client_drain(client, 1000), -ESHUTDOWN);
    relay_client_message_destroy(NULL);
    relay_client_flush(client);
    relay_client_stop(client, 1000);
    relay_client_statistics(client, &statistics);
    cr_assert_eq(statistics.state, RELAY_CLIENT_IDLE);
    cr_assert_eq(statistics.messages_dropped, 0);
    relay_client_destroy(client);
    relay_client_destroy(NULL);
}

Test(relay_client, refuses_too_much_whatever_the_pieces)
{
    struct relay_client *client = client_of("https://relay.invalid/session/t");
    struct relay_client_slice slices[] = {{"", 10 * 1024 * 1024}, {"", 1}};
    struct relay_client_slice huge[] = {{"", SIZE_MAX}, {"", SIZE_MAX}};

    cr_assert_eq(relay_client_send_slices(client, RELAY_CLIENT_BINARY, slices, 2, 0), -EMSGSIZE);
    cr_assert_eq(relay_client_send_slices(client, RELAY_CLIENT_BINARY, huge, 2, 0), -EMSGSIZE);
    cr_assert_eq(relay_client_send_slices(client, RELAY_CLIENT_BINARY, slices, 1, 0), -ESHUTDOWN);
    relay_client_destroy(client);
}

Test(relay_client, takes_tokens_that_can_be_tokens)
{
    struct relay_client *client = client_of("https://relay.invalid/session/t");

    cr_assert_eq(relay_client_set_token(client, "eyJ.c.d"), 0);
    cr_assert_eq(relay_client_set_token(client, "a\r\nInjected: b"), -EINVAL);
    cr_assert_eq(relay_client_set_token(client, NULL), 0);
    cr_assert_eq(relay_client_set_token_file(client, "/run/token"), 0);
    cr_assert_eq(relay_client_set_token_file(client, ""), 0);
    relay_client_destroy(client);
}

Test(relay_client, starts_and_stops_many_times)
{
    struct relay_client *client = client_of("http://127.0.0.1:9/session/t");

    for (int i = 0; i < 50; i++) {
        cr_assert_eq(relay_client_start(client), 0);
        cr_assert_eq(relay_client_start(client), -EALREADY);
        relay_client_stop(client, 0);
    }
    relay_client_destroy(client);
}

Test(relay_client, destroy_ends_a_started_client)
{
    struct relay_client *client = client_of("https://relay.invalid/session/t");

    cr_assert_eq(relay_client_start(client), 0);
    relay_client_destroy(client);
}

Test(relay_client, names_every_state_and_fault)
{
    for (int state = RELAY_CLIENT_IDLE; state <= RELAY_CLIENT_FAILED; state++) {
        cr_assert_str_neq(relay_client_state_text((enum relay_client_state)state), "unknown");
    }
    for (int fault = RELAY_CLIENT_FAULT_NONE; fault <= RELAY_CLIENT_FAULT_STALLED; fault++) {
        cr_assert_str_neq(relay_client_fault_text((enum relay_client_fault)fault), "unknown");
    }
    cr_assert_str_eq(relay_client_state_text((enum relay_client_state)99), "unknown");
    cr_assert_str_eq(relay_client_fault_text((enum relay_client_fault)99), "unknown");
}

Test(relay_client, names_the_fault_of_a_token_that_was_not_taken)
{
    cr_expect_null(relay_client_renewal_fault(RELAY_CLIENT_RENEWAL_NONE));
    cr_expect_null(relay_client_renewal_fault(RELAY_CLIENT_RENEWAL_DONE));
    cr_expect_null(relay_client_renewal_fault(RELAY_CLIENT_RENEWAL_TOO_OFTEN));
    cr_expect_not_null(relay_client_renewal_fault(RELAY_CLIENT_RENEWAL_INVALID));
    cr_expect_not_null(relay_client_renewal_fault(RELAY_CLIENT_RENEWAL_OTHER));
    cr_expect_not_null(relay_client_renewal_fault(RELAY_CLIENT_RENEWAL_DENIED));
    cr_expect_not_null(relay_client_renewal_fault((enum relay_client_renewal)99));
}
