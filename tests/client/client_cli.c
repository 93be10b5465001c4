/* `relay client` alone, without the server: what tests/client/test_file.py and test_pipe.py run. */
#include "cli/command.h"

int main(int argc, char **argv)
{
    return command_client(argc, argv);
}
