/* Goal: each viewer joins at its time, refusals are counted, and one message to all is timed.
 * Method: a connector that makes socket pairs; a thread in the place of the server. */
#include "perf/crowd/crowd.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { VIEWERS = 100, HEADER_BYTES = 6, MESSAGE_BYTES = 100 };

static struct {
    _Atomic unsigned joined;
    unsigned refuses_from; /* the join with that number, and all later ones */
    int peers[VIEWERS];
    int publisher;
    uint8_t opcode; /* of the frames that viewers get */
    pthread_t thread;
} hall;

/* Our payload is masked with zero. */
static void *server_main(void *ctx)
{
    uint8_t frame[HEADER_BYTES + MESSAGE_BYTES];

    if (recv(hall.publisher, frame, sizeof frame, MSG_WAITALL) != sizeof frame) {
        return ctx;
    }
    frame[4] = 0x80 | hall.opcode;
    frame[5] = MESSAGE_BYTES;
    for (unsigned i = 0; i < VIEWERS; i++) {
        if (hall.peers[i] >= 0) {
            (void)!send(hall.peers[i], frame + 4, sizeof frame - 4, MSG_NOSIGNAL);
        }
    }
    return ctx;
}

static int open_pair(int *ret_peer, struct connection *ret_connection)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        return -errno;
    }
    load_transport_adopt(&ret_connection->transport, fds[0]);
    *ret_peer = fds[1];
    return 0;
}

static int hall_open(void *ctx, unsigned topic, enum connector_role role,
                     struct connection *ret_connection,
                     char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    cr_assert_eq(topic, 0);
    if (role == CONNECTOR_PUBLISHER) {
        int failed = open_pair(&hall.publisher, ret_connection);

        return failed != 0 ? failed : pthread_create(&hall.thread, NULL, server_main, ctx);
    }
    unsigned number = atomic_fetch_add(&hall.joined, 1);

    if (number >= hall.refuses_from) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "HTTP 503");
        return -EACCES;
    }
    return open_pair(&hall.peers[number], ret_connection);
}

static void open_hall(void)
{
    memset(hall.peers, -1, sizeof hall.peers);
    hall.refuses_from = VIEWERS;
    hall.opcode = 2;
}

static void close_hall(void)
{
    pthread_join(hall.thread, NULL);
    close(hall.publisher);
    for (unsigned i = 0; i < VIEWERS; i++) {
        if (hall.peers[i] >= 0) {
            close(hall.peers[i]);
        }
    }
}

TestSuite(crowd, .init = open_hall, .fini = close_hall);

static struct crowd_result come(uint64_t within_ns)
{
    struct crowd_config config = {
        .connector = {.open = hall_open}, .viewers = VIEWERS, .within_ns = within_ns};
    struct crowd_result result;
    char error[LOAD_TRANSPORT_ERROR_SIZE] = "";

    cr_assert_eq(crowd_run(&config, &result, error), 0, "%s", error);
    return result;
}

Test(crowd, comes_at_its_time_and_gets_a_message)
{
    struct crowd_result result = come(200000000);

    cr_assert_eq(result.joined, VIEWERS);
    cr_assert_eq(result.refused, 0);
    cr_assert_geq(result.all_in_ns, 200000000 / VIEWERS * (VIEWERS - 1));
    cr_assert_gt(result.message_ns, 0);
    cr_assert_eq(result.join_ns.count, VIEWERS);
}

Test(crowd, counts_refusals_with_the_first_reason)
{
    hall.refuses_from = 70;
    struct crowd_result result = come(0);

    cr_assert_eq(result.joined, 70);
    cr_assert_eq(result.refused, VIEWERS - 70);
    cr_assert_str_eq(result.refusal, "HTTP 503");
    cr_assert_gt(result.message_ns, 0, "those that are in have it");
}

Test(crowd, sees_that_a_message_did_not_arrive)
{
    hall.opcode = 8;
    struct crowd_result result = come(0);

    cr_assert_eq(result.joined, VIEWERS);
    cr_assert_eq(result.message_ns, 0);
}
