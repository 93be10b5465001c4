/* Goal: what is known of a member is kept as it was said, in memory of its own, whatever its
 * length. Method: texts that are empty, short and as long as they may be, changed after they were
 * copied; a request with and without a proxy in front. */
#include "server/websocket/identity.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

Test(identity, is_a_copy_of_its_own)
{
    char booking_id[TOKEN_TEXT_SIZE] = "", scopes[PERMISSION_SCOPES_SIZE] = "[\"read\"]";
    char user_agent[USER_AGENT_SIZE] = "ua/1", address[REPORTED_ADDRESS_SIZE] = "";
    struct identity identity = {0};

    memset(booking_id, 'b', sizeof booking_id - 1);
    cr_assert(identity_init(&identity, &(struct identity){.booking_id = booking_id,
                                                          .scopes_json = scopes,
                                                          .user_agent = user_agent,
                                                          .remote_address = address,
                                                          .reported_address = "203.0.113.7"}));
    memset(scopes, 'x', sizeof scopes);
    memset(user_agent, 'x', sizeof user_agent);
    memset(address, 'x', sizeof address);
    cr_assert_str_eq(identity.booking_id, booking_id);
    cr_assert_str_eq(identity.scopes_json, "[\"read\"]");
    cr_assert_str_eq(identity.user_agent, "ua/1");
    cr_assert_str_eq(identity.remote_address, "");
    cr_assert_str_eq(identity.reported_address, "203.0.113.7");
    identity_deinit(&identity);
    identity_deinit(&identity);
    cr_assert_null(identity.booking_id);
}

static struct identity identity_from(const char *fields, const char *trusted)
{
    struct http_request *request = malloc(sizeof *request);
    struct permission permission = {.booking_id = "b0", .scopes_json = "[]"};
    struct address_list proxies = {0};
    struct identity identity = {0};
    char text[256];
    int ends[2];

    cr_assert_not_null(request);
    snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", fields);
    struct bytes bytes = bytes_of_text(text);

    http_request_init(request);
    cr_assert_eq(http_request_parse(request, &bytes), HTTP_REQUEST_OK);
    cr_assert_eq(address_list_parse(trusted, &proxies), 0);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    cr_assert(identity_of_client(&identity, &permission, ends[0], request, &proxies));
    close(ends[0]);
    close(ends[1]);
    free(request);
    return identity;
}

Test(identity, of_a_client_has_what_its_request_says)
{
    struct identity identity = identity_from("User-Agent: ua/2\r\n", "none");

    cr_assert_str_eq(identity.booking_id, "b0");
    cr_assert_str_eq(identity.scopes_json, "[]");
    cr_assert_str_eq(identity.user_agent, "ua/2");
    cr_assert_str_eq(identity.remote_address, "unknown"); /* no address family of the internet */
    cr_assert_str_eq(identity.reported_address, "unknown");
    identity_deinit(&identity);
}

Test(identity, does_not_believe_a_proxy_that_is_not_trusted)
{
    struct identity identity = identity_from("X-Forwarded-For: 203.0.113.7\r\n", "loopback");

    cr_assert_str_eq(identity.user_agent, "");
    cr_assert_str_eq(identity.reported_address, "unknown");
    identity_deinit(&identity);
}
