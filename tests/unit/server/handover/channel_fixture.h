/* Both ends of a channel in one process, which is its own peer. */
#pragma once

#include <criterion/criterion.h>
#include <unistd.h>

#include "base/attributes.h"
#include "base/check.h"
#include "base/clock.h"
#include "server/handover/handover_channel.h"
#include "tests/unit/descriptors.h"

static struct {
    struct handover_channel ours, theirs;
    struct handover_message message;
    struct handover_wait wait;
    unsigned descriptors; /* when it was opened */
} pair;

UNUSED static void open_channel(void)
{
    int failed = handover_channel_open(&pair.ours, &pair.theirs.fd);

    CHECK(failed == 0);
    pair.ours.peer = pair.theirs.peer = getpid();
    pair.wait = (struct handover_wait){.deadline_ms = clock_monotonic_ms() + 20000};
    pair.descriptors = open_descriptors();
}

UNUSED static void close_channel(void)
{
    handover_channel_close(&pair.ours);
    handover_channel_close(&pair.theirs);
}
