/* For tests that need a real io_uring: skips, with the reason, where the kernel refuses it. Any
 * other fault of the ring fails the test. */
#pragma once

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "server/loop/ring.h"

static inline void require_uring(void)
{
    struct ring ring;
    char reason[256];
    int failed = ring_open(&ring, 8, 16);

    if (failed == 0) {
        ring_close(&ring);
        return;
    }
    ring_error_text(failed, reason, sizeof reason);
    if (failed == -EPERM || failed == -EACCES || failed == -ENOSYS) {
        fprintf(stderr, "skipped: %s\n", reason);
        cr_skip_test("%s", reason);
    }
    cr_assert_fail("%s", reason);
}
