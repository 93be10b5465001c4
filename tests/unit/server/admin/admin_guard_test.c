/* Goal: no name that a stranger controls reaches the admin listener, and no page of another origin
 * can change anything; tools of the machine can. */
#include "server/admin/admin_guard.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/attributes.h"

static struct http_request request;

static const struct http_request *read_request(const char *fields)
{
    char text[1024];

    snprintf(text, sizeof text, "POST / HTTP/1.1\r\n%s\r\n", fields);
    struct bytes input = bytes_of_text(text);

    http_request_init(&request);
    cr_assert_eq(http_request_parse(&request, &input), HTTP_REQUEST_OK, "%s", fields);
    return &request;
}

Test(admin_guard, hosts)
{
    static const struct {
        const char *host;
        bool is_allowed;
    } cases[] = {
        {"127.0.0.1", true},
        {"127.0.0.1:3002", true},
        {"[::1]:3002", true},
        {"[::1]", true},
        {"192.0.2.7:80", true},
        {"localhost:3002", true},
        {"relay", true},
        {"relay:3002", true},
        {"a.localhost", true},
        {"A.LOCALHOST:1", true},
        {"metrics.example:3002", true},
        {"METRICS.example", true},
        {"evil.example", false},
        {"evil.example:3002", false},
        {"127.0.0.1.evil.example", false},
        {"localhost.evil", false},
        {"alocalhost.", false},
        {"xmetrics.example", false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char field[128];

        snprintf(field, sizeof field, "Host: %s\r\n", cases[i].host);
        cr_assert_eq(admin_guard_allows_host(read_request(field), "other, metrics.example"),
                     cases[i].is_allowed, "%s", cases[i].host);
    }
}

Test(admin_guard, changes)
{
    static const struct {
        const char *fields;
        bool is_allowed;
    } cases[] = {
        {"Relay-Admin: 1\r\n", true},
        {"", false},
        {"Relay-Admin: 0\r\n", false},
        {"Relay-Admin: 1\r\nOrigin: http://127.0.0.1:3002\r\n", true},
        {"Relay-Admin: 1\r\nOrigin: http://127.0.0.1:3003\r\n", false},
        {"Relay-Admin: 1\r\nOrigin: https://evil.example\r\n", false},
        {"Relay-Admin: 1\r\nOrigin: null\r\n", false},
        {"Relay-Admin: 1\r\nSec-Fetch-Site: same-origin\r\n", true},
        {"Relay-Admin: 1\r\nSec-Fetch-Site: none\r\n", true},
        {"Relay-Admin: 1\r\nSec-Fetch-Site: cross-site\r\n", false},
        {"Relay-Admin: 1\r\nSec-Fetch-Site: same-site\r\n", false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char fields[256];

        snprintf(fields, sizeof fields, "Host: 127.0.0.1:3002\r\n%s", cases[i].fields);
        cr_assert_eq(admin_guard_allows_change(read_request(fields)), cases[i].is_allowed, "%s",
                     cases[i].fields);
    }
}
