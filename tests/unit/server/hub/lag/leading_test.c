/* Goal: behind a key picture that a viewer skipped to, the pictures that may need earlier ones are
 * left out with all their pieces, and the next one announces the gap.
 * Method: sequences of messages, as letters. */
#include "server/hub/lag/leading.h"

#include <ctype.h>

#include "server/hub/topic.h"
#include "tests/unit/server/hub/hub_fixture.h"

enum { MEMORY = 1 << 20 };

/* L and D begin a leading picture and another one, - goes on with what was begun, g is another one
 * that may follow a gap. In k a key picture begins behind the end of what was begun. In what is
 * taken, G and K are g and k without what is in front. */
static void expect_taken(enum leading leading, const char *messages, const char *taken)
{
    struct worker worker;
    struct topic_registry registry;
    char text[32] = "";

    lone_worker_init(&worker, MEMORY);
    topic_registry_init(&registry, 1);
    struct topic *topic = topic_find_or_create(&registry, "t");

    for (size_t i = 0; messages[i] != '\0'; i++) {
        struct message *message = message_of_text(&worker, WS_OPCODE_BINARY, "x");
        enum message_part part = MESSAGE_WHOLE;

        message->class = MESSAGE_DEPENDENT;
        message->starts_at_boundary = messages[i] != '-' && messages[i] != 'k';
        message->is_leading = messages[i] == 'L';
        message_charge(&worker, message, topic);
        if (messages[i] == 'g' || messages[i] == 'k') {
            message->class = messages[i] == 'k' ? MESSAGE_KEY : MESSAGE_DEPENDENT;
            cr_assert(message_part_start_at(&worker, message, 0, bytes_of_text("!"), 0));
        }
        if (leading_admits(&leading, message, &part)) {
            text[strlen(text)] = part == MESSAGE_START ? (char)toupper(messages[i]) : messages[i];
        }
        message_release(&worker, message);
    }
    cr_assert_str_eq(text, taken, "%s: %s", messages, text);
    topic_unref(topic);
    topic_registry_deinit(&registry);
    lone_worker_deinit(&worker);
}

Test(leading, takes_all_where_nothing_was_skipped)
{
    expect_taken(LEADING_NONE, "LL-gD", "LL-gD");
}

Test(leading, takes_the_rest_of_the_key_picture)
{
    expect_taken(LEADING_POSSIBLE, "--D-LD", "--D-LD");
}

Test(leading, leaves_out_leading_pictures_with_all_their_pieces)
{
    expect_taken(LEADING_POSSIBLE, "-L--LgL-", "-GL-");
    expect_taken(LEADING_POSSIBLE, "LD", "D");
    expect_taken(LEADING_DROPPED, "-g", "G");
}

Test(leading, announces_no_gap_where_there_is_none)
{
    expect_taken(LEADING_POSSIBLE, "g", "g");
}

Test(leading, ends_at_a_key_picture_wherever_messages_are_cut)
{
    expect_taken(LEADING_POSSIBLE, "L--k-D", "K-D");
    expect_taken(LEADING_POSSIBLE, "L-k-LD", "K-D");
}

Test(leading, of_a_key_picture_that_follows_without_a_gap_are_taken)
{
    expect_taken(LEADING_POSSIBLE, "--k-L-D", "--k-L-D");
}
