/* Goal: bash is told each command, flag and choice. Method: the text for a small program;
 * packaging/completion runs the real one in bash. */
#include "cli/generate/completion.h"
#include "tests/unit/cli/generate/small_catalogue.h"

Test(completion_bash, has_commands_flags_and_choices)
{
    static const char *const lines[] = {
        "    relay) words='run go --help' ;;\n",
        "    \"relay run\") words='--name --way --fast --help' ;;\n",
        "    \"relay go\") words='far near --help' ;;\n",
        "    \"relay go far\") words='--way --help' ;;\n",
        "    \"relay run --name\" | \"relay run --name=\") return ;;\n",
        "    \"relay run --way\" | \"relay run --way=\") words='up down' ;;\n",
        "    \"relay run --fast=\") words='true false' ;;\n",
        "complete -o default -F _relay relay\n",
        NULL};
    char *text = printed_by(completion_bash_print);

    expect_lines(text, lines);
    free(text);
}
