/* Goal: a copy has what was counted of each topic with a row, and its age by the caller's clock. */
#include "server/admin/topic_rows.h"

#include "tests/unit/server/admin/admin_fixture.h"

TestSuite(topic_rows, .init = admin_open, .fini = admin_close);

Test(topic_rows, copy_has_topics_and_the_others)
{
    struct conn *conn = join("t0", true, true);

    topic_counts_receive(conn->subscriber.counts, 9, STAGE_NOW_MS);
    struct topic_rows *rows = topic_rows_copy(&stage.topics);
    uint64_t age_ms;

    cr_assert_not_null(rows);
    cr_assert_eq(rows->count, 3);
    cr_assert_str_eq(rows->rows[0].name, STATS_TOPIC);
    cr_assert_str_eq(rows->rows[1].name, "t0");
    cr_assert_eq(rows->rows[1].counts.messages_received, 1);
    cr_assert_eq(rows->rows[1].counts.viewers, 1);
    cr_assert(topic_rows_age_ms(&rows->rows[1], STAGE_NOW_MS + 5, &age_ms));
    cr_assert_eq(age_ms, 5);
    cr_assert(topic_rows_age_ms(&rows->rows[1], STAGE_NOW_MS - 5, &age_ms));
    cr_assert_eq(age_ms, 0);
    cr_assert_str_eq(rows->rows[2].name, "other");
    cr_assert(!topic_rows_age_ms(&rows->rows[2], STAGE_NOW_MS, &age_ms));
    free(rows);
}
