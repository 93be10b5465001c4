/* Goal: /topics becomes figures, and no other text does any harm. */
#include "cli/top/admin/snapshot.h"

#include <criterion/criterion.h>
#include <string.h>

static struct snapshot snapshot;

static bool read_text(const char *text)
{
    return snapshot_read(bytes_of_text(text), &snapshot);
}

Test(snapshot, reads_what_the_relay_says)
{
    cr_assert(read_text(
        "{\"version\":\"1.2.3\",\"now_ms\":5,\"started_s\":6,\"connections\":7,\"websockets\":8,"
        "\"workers\":9,\"topics\":[{\"topic\":\"a\\u001b\",\"publishers\":1,\"viewers\":2,"
        "\"messages_received\":3,\"bytes_received\":4,\"messages_sent\":5,\"bytes_sent\":6,"
        "\"dropped_data\":1,\"dropped_video\":20,\"dropped_latest\":300,\"age_ms\":0},"
        "{\"topic\":\"b\"}]}"));
    cr_assert_str_eq(snapshot.version, "1.2.3");
    cr_assert(snapshot.now_ms == 5 && snapshot.started_s == 6 && snapshot.connections == 7);
    cr_assert(snapshot.websockets == 8 && snapshot.workers == 9);
    cr_assert_eq(snapshot.count, 2);
    const struct snapshot_topic *topic = &snapshot.topics[0];

    cr_assert_str_eq(topic->name, "a\033");
    cr_assert(topic->publishers == 1 && topic->viewers == 2 && topic->messages_received == 3);
    cr_assert(topic->bytes_received == 4 && topic->bytes_sent == 6 && topic->lost == 321);
    cr_assert_eq(topic->age_ms, 0);
    cr_assert_eq(snapshot.topics[1].age_ms, -1);
    snapshot_release(&snapshot);
    snapshot_release(&snapshot);
}

Test(snapshot, takes_nothing_else)
{
    static const char *const cases[] = {
        "", "{", "[]", "7", "{}", "{\"topics\":7}", "{\"topics\":{}}", "<html>",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_expect(!read_text(cases[i]), "%s", cases[i]);
        cr_expect_null(snapshot.topics);
    }
    cr_assert(read_text("{\"topics\":[7,null,{\"topic\":[],\"viewers\":\"x\"}]}"));
    cr_assert_eq(snapshot.count, 3);
    cr_assert_str_eq(snapshot.topics[2].name, "");
    snapshot_release(&snapshot);
}
