/* Goal: the words of RELAY_ADMIN_LISTEN lead to a socket, and others do not. */
#include "cli/top/admin/admin_address.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>
#include <sys/un.h>

static struct admin_address address;

Test(admin_address, reads_numbers_and_paths)
{
    cr_assert(admin_address_parse("127.0.0.1:3002", &address));
    const struct sockaddr_in *four = (const struct sockaddr_in *)&address.address;

    cr_assert_eq(four->sin_family, AF_INET);
    cr_assert_eq(ntohs(four->sin_port), 3002);
    cr_assert_eq(address.len, sizeof *four);
    cr_assert_str_eq(address.text, "127.0.0.1:3002");
    cr_assert(admin_address_parse("[::1]:99", &address));
    cr_assert_eq(address.address.ss_family, AF_INET6);
    cr_assert(admin_address_parse("/run/relay/admin.sock", &address));
    const struct sockaddr_un *path = (const struct sockaddr_un *)&address.address;

    cr_assert_eq(path->sun_family, AF_UNIX);
    cr_assert_str_eq(path->sun_path, "/run/relay/admin.sock");
}

Test(admin_address, refuses_the_rest)
{
    static const char *const cases[] = {
        "",
        "off",
        "3002",
        ":3002",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:3002x",
        "relay.example:3002",
        "[::1:3002",
        "127.0.0.1:-1",
    };
    char long_path[200];

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_expect(!admin_address_parse(cases[i], &address), "%s", cases[i]);
    }
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[0] = '/';
    long_path[sizeof long_path - 1] = '\0';
    cr_expect(!admin_address_parse(long_path, &address));
    long_path[108] = '\0'; /* one more than fits with its end */
    cr_expect(!admin_address_parse(long_path, &address));
    long_path[107] = '\0';
    cr_expect(admin_address_parse(long_path, &address));
}
