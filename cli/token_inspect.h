/* relay token inspect, called by relay token. */
#pragma once

/* Exit status: 0 for a token that would be accepted. argv[0] is "inspect". */
int token_inspect_run(int argc, char **argv);
