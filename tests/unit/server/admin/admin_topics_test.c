/* Goal: GET /topics is JSON with what each topic does, also after its connections have left. */
#include <jansson.h>

#include "tests/unit/server/admin/admin_fixture.h"
#include "wire/ws_frame.h"

TestSuite(admin_topics, .init = admin_open, .fini = admin_close);

static json_int_t number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    cr_assert(json_is_integer(value), "%s", key);
    return json_integer_value(value);
}

static json_t *read_topics(void)
{
    json_t *answer = json_loads(admin_body(admin_get("/topics")), JSON_REJECT_DUPLICATES, NULL);

    cr_assert_not_null(answer);
    return answer;
}

Test(admin_topics, tell_what_was_published_and_who_is_there)
{
    static const uint8_t frame[] = {0x82, 0x83, 0, 0, 0, 0, 'a', 'b', 'c'};
    struct conn *publisher = join("t0", false, true);
    struct conn *viewer = join("t0", true, false);

    say(publisher, bytes_of(frame, sizeof frame));
    cr_assert_eq(sent_by(viewer).len, 5);
    json_t *answer = read_topics();
    json_t *topics = json_object_get(answer, "topics");
    const json_t *topic = json_array_get(topics, 1);

    cr_assert_eq(json_array_size(topics), 3);
    cr_assert_str_eq(json_string_value(json_object_get(topic, "topic")), "t0");
    cr_assert_eq(number(topic, "publishers"), 1);
    cr_assert_eq(number(topic, "viewers"), 1);
    cr_assert_eq(number(topic, "messages_received"), 1);
    cr_assert_eq(number(topic, "bytes_received"), 3);
    cr_assert_eq(number(topic, "messages_sent"), 1);
    cr_assert_eq(number(topic, "bytes_sent"), 3);
    cr_assert_eq(number(topic, "age_ms"), 0);
    cr_assert_null(json_object_get(json_array_get(topics, 2), "age_ms"));
    json_decref(answer);
}

Test(admin_topics, counts_stay_when_all_have_left)
{
    struct conn *conn = join("t0", true, true);

    conn_close_now(conn, CLOSE_BY_PEER);
    kernel_finish_close();
    json_t *answer = read_topics();
    const json_t *topic = json_array_get(json_object_get(answer, "topics"), 1);

    cr_assert_str_eq(json_string_value(json_object_get(topic, "topic")), "t0");
    cr_assert_eq(number(topic, "publishers"), 0);
    cr_assert_eq(number(topic, "viewers"), 0);
    json_decref(answer);
}
