/* Goal: fish is told each command, flag and choice, each where it belongs. Method: the text for a
 * small program; packaging/completion has fish read the real one. */
#include "cli/generate/completion.h"
#include "tests/unit/cli/generate/small_catalogue.h"

Test(completion_fish, has_commands_flags_and_choices)
{
    static const char *const lines[] = {
        "complete -c relay -n __fish_use_subcommand -a run -d 'run the user\\'s well-known \\\\'\n",
        "complete -c relay -n '__fish_seen_subcommand_from go; and not "
        "__fish_seen_subcommand_from far; and not __fish_seen_subcommand_from near' -a far -d 'go "
        "a user\\'s way: far'\n",
        "complete -c relay -n '__fish_seen_subcommand_from run' -l name -r -F -d 'The user\\'s "
        "[name]'\n",
        "complete -c relay -n '__fish_seen_subcommand_from go; and __fish_seen_subcommand_from "
        "far' -l way -x -a 'up down' -d 'Way'\n",
        "complete -c relay -n '__fish_seen_subcommand_from run' -l fast -d 'Fast'\n",
        NULL};
    char *text = printed_by(completion_fish_print);

    expect_lines(text, lines);
    free(text);
}
