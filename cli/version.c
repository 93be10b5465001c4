#include <stdio.h>

#include "base/version.h"
#include "cli/command.h"

int command_version(int argc, char **argv)
{
    printf("relay %s\n", RELAY_VERSION);
    return 0;
}
