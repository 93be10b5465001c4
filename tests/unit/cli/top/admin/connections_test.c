/* Goal: /status becomes rows in the order asked for, and no other text does any harm. */
#include "cli/top/admin/connections.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct connections connections;

static void stop(void)
{
    connections_release(&connections);
}

TestSuite(connections, .fini = stop);

static bool read_text(const char *text)
{
    return connections_read(bytes_of_text(text), &connections);
}

static const char *addresses(enum sort_key key, bool reverse)
{
    static char text[64];

    connections_sort(&connections, key, reverse);
    text[0] = '\0';
    for (size_t i = 0, used = 0; i < connections.count; i++) {
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s", connections.rows[i].address);
    }
    return text;
}

Test(connections, are_read_and_sorted)
{
    cr_assert(read_text(
        "[{\"topic\":\"b\",\"remote_addr\":\"1\",\"user_agent\":\"ua\",\"can_read\":true,"
        "\"connected_at\":\"2026-11-23T09:21:19Z\",\"expires_at\":\"2026-11-23T10:21:19Z\"},"
        "{\"topic\":\"a\",\"remote_addr\":\"2\",\"can_write\":true,"
        "\"connected_at\":\"2026-11-23T09:21:20Z\",\"dropped\":{\"data\":7}},"
        "{\"topic\":\"a\",\"remote_addr\":\"3\",\"connected_at\":\"2026-11-23T09:21:18Z\"}]"));
    cr_assert_eq(connections.count, 3);
    cr_expect_str_eq(addresses(SORT_NAME, false), "321");
    cr_expect_str_eq(addresses(SORT_NAME, true), "123");
    cr_expect_str_eq(addresses(SORT_AGE, false), "312");
    cr_expect_str_eq(addresses(SORT_LOST, false), "231");
    const struct connection_row *row = &connections.rows[2];

    cr_expect(row->can_read && !row->can_write);
    cr_expect_str_eq(row->agent, "ua");
    cr_expect_eq(row->expires_s - row->connected_s, 3600);
    cr_expect_eq(connections.rows[0].lost, 7);
}

Test(connections, none_are_fine_and_other_text_is_refused)
{
    cr_assert(read_text("[]"));
    cr_assert_eq(connections.count, 0);
    cr_assert_str_eq(addresses(SORT_NAME, false), "");
    connections_release(&connections);
    cr_expect(!read_text("{\"message\":\"busy\"}"));
    cr_expect(!read_text("[7]"));
    cr_expect(!read_text(""));
    cr_expect_null(connections.rows);
}
