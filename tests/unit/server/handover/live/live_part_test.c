/* Goal: WebSockets go on in another program as if nothing had happened: no byte is lost, doubled or
 * moved, in either direction, wherever a message, a frame or a send was cut by the move.
 * Method: two programs with workers that the test turns (programs.h), and peers that read what they
 * hear to the byte. */
#include "server/handover/live/live_part.h"

#include "tests/unit/server/handover/live/programs.h"

static struct program *const first = &programs[0], *const second = &programs[1];
static struct peer publisher, viewer;

static void open_programs(void)
{
    programs_open(2, 2);
    program_join(first, 0, "t0", false, true, &publisher);
    program_join(first, 1, "t0", true, false, &viewer);
}

static void close_programs(void)
{
    programs_close();
    peer_close(&publisher);
    peer_close(&viewer);
}

TestSuite(live_part, .init = open_programs, .fini = close_programs);

Test(live_part, both_directions_go_on_in_the_other_program)
{
    peer_say(&publisher, FRAME_FIN | WS_OPCODE_TEXT, "before");
    peer_expect_text(first, &viewer, "before");
    programs_move(first, second);
    cr_assert_eq(first->tables[0].open_count + first->tables[1].open_count, 0);
    cr_assert_eq(second->tables[0].open_count, 1);
    cr_assert_eq(second->tables[1].open_count, 1);
    peer_say(&publisher, FRAME_FIN | WS_OPCODE_TEXT, "after");
    peer_expect_text(second, &viewer, "after");
}
