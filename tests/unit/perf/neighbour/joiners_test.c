/* Joiners through a connector that makes socket pairs. */
#include "perf/neighbour/joiners.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { ATTEMPTS = 20 };

static const uint64_t second_ns = 1000000000;

struct door {
    _Atomic unsigned attempts;
    unsigned places;
};

static int door_open(void *ctx, unsigned topic, enum connector_role role,
                     struct connection *ret_connection,
                     char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    struct door *door = ctx;
    int fds[2];

    if (door->attempts++ >= door->places) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "full");
        return -EACCES;
    }
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    close(fds[1]);
    load_transport_adopt(&ret_connection->transport, fds[0]);
    return 0;
}

static void run(struct attack attack, struct door *door, struct attack_counts *counts)
{
    struct connector connector = {.ctx = door, .open = door_open};

    joiners_run(&attack, &connector, counts, clock_monotonic_ns() + second_ns / 2);
}

Test(joiners, stay_until_the_end)
{
    struct door door = {.places = ATTEMPTS};
    struct attack_counts counts = {0};

    run((struct attack){.connections = 2, .stays = true}, &door, &counts);
    cr_assert_eq(counts.opened, ATTEMPTS);
    cr_assert_eq(counts.open_peak, ATTEMPTS, "none has left");
    cr_assert_eq(counts.open, 0, "all have left at the end");
    cr_assert_gt(counts.refused, 0);
    cr_assert_str_eq(counts.error, "full");
}

Test(joiners, leave_at_once)
{
    struct door door = {.places = ATTEMPTS};
    struct attack_counts counts = {0};

    run((struct attack){.connections = 2}, &door, &counts);
    cr_assert_eq(counts.opened, ATTEMPTS);
    cr_assert_leq(counts.open_peak, 2);
    cr_assert_eq(counts.open, 0);
}
