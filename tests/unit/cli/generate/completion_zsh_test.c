/* Goal: zsh is told each command, flag and choice, and no help breaks its quoting. Method: the text
 * for a small program; packaging/completion has zsh read the real one. */
#include "cli/generate/completion.h"
#include "tests/unit/cli/generate/small_catalogue.h"

Test(completion_zsh, has_commands_flags_and_choices)
{
    static const char *const lines[] = {
        "#compdef relay\n",
        "    'run:run the user'\\''s well-known \\\\'\n",
        "    (go)\n      following=('far:go a user'\\''s way\\: far' 'near:stay' ) ;;\n",
        "    ('run')\n      _arguments \\\n",
        "      '--name=[The user'\\''s \\[name\\]]:value:_files' \\\n",
        "      '--way=[Way]:value:(up down)' \\\n",
        "      '--fast=-[Fast]::value:(true false)' \\\n",
        "    ('go near')\n",
        NULL};
    char *text = printed_by(completion_zsh_print);

    cr_assert_eq(strncmp(text, lines[0], strlen(lines[0])), 0, "zsh finds it by its first line");
    expect_lines(text, lines);
    free(text);
}
