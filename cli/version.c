#include <stdio.h>

#include "base/version.h"
#include "cli/command.h"

int command_version(int argc, char **argv)
{
    printf("%s %s\n", RELAY_VERSION, RELAY_BUILD_TIME);
    return 0;
}
