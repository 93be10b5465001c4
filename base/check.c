#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log_output.h"

enum { CHECK_FLUSH_MS = 200 };

void check_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "relay: %s:%d: check failed: %s\n", file, line, condition);
    log_output_flush(CHECK_FLUSH_MS); /* its last lines may tell why */
    abort();
}
