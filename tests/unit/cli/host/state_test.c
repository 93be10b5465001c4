/* Goal: a report becomes tables in which foreign text controls nothing. */
#include "cli/host/state.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <string.h>

Test(state, is_written_as_tables)
{
    static const char report[] =
        "{\"publishers\":1,\"local_clients\":2,\"uptime_s\":3,\"feeds\":[{\"name\":\"video\","
        "\"members\":2,\"messages_per_s\":24,\"bytes_per_s\":125000,\"messages\":240}],"
        "\"destinations\":[{\"id\":\"0\",\"stream\":\"video\",\"relay\":\"relay.example.org\","
        "\"state\":\"waiting\",\"messages_sent\":5,\"viewers\":3,\"last_error\":\"bad "
        "\\u001b[31m\"}]}";
    char text[2048] = "";
    FILE *out = fmemopen(text, sizeof text, "w");

    cr_assert_eq(state_write(out, bytes_of_text(report)), 0);
    cr_assert_eq(state_write(out, bytes_of_text("[]")), -EINVAL);
    fclose(out);
    cr_assert_not_null(strstr(text, "video                   2        24       1000     240\n"),
                       "%s", text);
    cr_assert_not_null(
        strstr(text, "relay.example.org           waiting    5        -        3        -"), "%s",
        text);
    cr_assert_not_null(strstr(text, "bad \\u001b[31m\n"));
    cr_assert_not_null(strstr(text, "1 cameras, 2 local programs, up 3 s\n"));
}

Test(state, says_when_no_host_answers)
{
    struct host_settings settings = {.port = 9};

    cr_redirect_stderr();
    cr_assert_eq(state_show(&settings), 1);
}
