/* Goal: programs of this machine pass, pages of browsers and other machines do not. Method: whole
 * requests. */
#include "host/http/control_guard.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const char *refusal(struct control_guard guard, const char *fields)
{
    static struct http_request request;
    char text[512];

    snprintf(text, sizeof text, "POST /api/destinations HTTP/1.1\r\n%s\r\n", fields);
    struct bytes input = bytes_of_text(text);

    http_request_init(&request);
    cr_assert_eq(http_request_parse(&request, &input), HTTP_REQUEST_OK);
    return control_guard_refusal(&guard, &request);
}

Test(control_guard, lets_programs_of_this_machine_pass)
{
    static const char *const fields[] = {
        "Host: localhost:8888\r\n", "Host: 127.0.0.1:8888\r\n", "Host: [::1]:8888\r\n",
        "Host: localhost:8888\r\nOrigin: http://localhost:8888\r\n"};

    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        cr_assert_null(refusal((struct control_guard){.is_loopback = true}, fields[i]), "%s",
                       fields[i]);
    }
}

Test(control_guard, refuses_pages_of_other_origins)
{
    static const char *const origins[] = {"http://evil.example", "null", "http://localhost:3000"};
    char fields[128];

    for (size_t i = 0; i < ARRAY_LENGTH(origins); i++) {
        snprintf(fields, sizeof fields, "Host: localhost:8888\r\nOrigin: %s\r\n", origins[i]);
        cr_assert_not_null(refusal((struct control_guard){.is_loopback = true}, fields));
        cr_assert_not_null(refusal((struct control_guard){.is_remote = true}, fields));
    }
}

Test(control_guard, refuses_names_that_lead_here_from_elsewhere)
{
    const char *fields = "Host: evil.example:8888\r\nOrigin: http://evil.example:8888\r\n";

    cr_assert_not_null(refusal((struct control_guard){.is_loopback = true}, fields));
    cr_assert_null(refusal((struct control_guard){.is_remote = true}, fields));
}

Test(control_guard, refuses_other_machines_unless_they_are_allowed)
{
    const char *fields = "Host: experiment:8888\r\n";

    cr_assert_not_null(refusal((struct control_guard){0}, fields));
    cr_assert_null(refusal((struct control_guard){.is_remote = true}, fields));
}
