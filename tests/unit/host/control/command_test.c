/* Goal: commands are taken from members that may give them, and answered to all on the feed; the
 * whole table of answers is in tests/host/test_host_feeds.py. */
#include "host/control/command.h"

#include "tests/unit/host/control/stage.h"
#include "tests/unit/host/hearer.h"

static void expect(struct stage *stage, const char *text, const char *answer)
{
    stage_expect(command_carry_out(&stage->control, bytes_of_text(text)), answer);
}

Test(command, is_carried_out_or_not_recognised)
{
    struct stage stage;
    static char too_long[RULE_BYTES_MAX + 1];

    stage_setup(&stage);
    expect(&stage, "{\"verb\":\"healthcheck\"}", "{\"healthcheck\":\"ok\"}");
    expect(&stage, "{\"verb\":\"add\",\"what\":\"stream\"}",
           "{\"error\":\"unexpected end of JSON input\"}");
    expect(&stage, "{\"verb\":\"delete\",\"what\":\"destination\",\"which\":\"q\\\"uo\"}",
           "{\"deleted\":\"q\\\"uo\"}");
    expect(&stage, "{\"verb\":1}", "{\"error\":\"unrecognised Command\"}");
    expect(&stage, "{\"verb\":\"list\",\"what\":\"stream\",\"which\":\"x\"}", "{\"feeds\":null}");
    memset(too_long, ' ', sizeof too_long);
    stage_expect(command_carry_out(&stage.control, bytes_of(too_long, sizeof too_long)),
                 "{\"error\":\"unrecognised Command\"}");
    stage_teardown(&stage);
}

Test(command, is_taken_from_those_who_may)
{
    struct stage stage;
    struct command command;
    struct hearer asker, other;

    stage_setup(&stage);
    cr_assert_eq(command_init(&command, &stage.loop, &stage.streams.feeds, &stage.control), 0);
    cr_assert_eq(hearer_join(&asker, &stage.streams.feeds, COMMAND_FEED), 0);
    cr_assert_eq(hearer_join(&other, &stage.streams.feeds, COMMAND_FEED), 0);
    asker.member.may_command = true;
    hearer_say(&asker, &stage.streams.feeds, "{\"verb\":\"healthcheck\"}");
    hearer_say(&other, &stage.streams.feeds, "no");
    cr_assert_str_eq(other.heard, "{\"verb\":\"healthcheck\"},", "not inside the call");
    loop_turn(&stage.loop, 0);
    cr_assert_str_eq(asker.heard, "no,{\"healthcheck\":\"ok\"},");
    feed_leave(&asker.member);
    feed_leave(&other.member);
    command_deinit(&command);
    stage_teardown(&stage);
}
