#include "server/succession/successor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/version.h"
#include "server/bookings/bookings_handover.h"
#include "server/handover/live/live_part.h"
#include "server/succession/sockets.h"
#include "server/succession/terms.h"

bool successor_init(struct successor *successor)
{
    successor->roll.answered_fd = -1;
    return handover_channel_inherit(&successor->channel) != -EPERM;
}

void successor_deinit(struct successor *successor)
{
    handover_channel_close(&successor->channel);
    roll_call_deinit(&successor->roll); /* not sooner: a worker may still be in its answer */
}

bool successor_is_one(const struct successor *successor)
{
    return successor->channel.fd >= 0;
}

static struct handover_wait wait_of(void)
{
    return (struct handover_wait){.deadline_ms = clock_monotonic_ms() + SUCCESSOR_WAIT_MS};
}

static int fail(int failed, const char *step, char error[static SUCCESSOR_ERROR_SIZE])
{
    snprintf(error, SUCCESSOR_ERROR_SIZE, "cannot take over: %s: %s", step,
             failed == -EPIPE ? "the running program changed its mind" : strerror(-failed));
    return failed;
}

static int send_hello(struct successor *successor, const struct server_config *config)
{
    const struct handover_wait wait = wait_of();
    struct handover_message hello;

    handover_channel_begin(&hello, HANDOVER_HELLO, NULL, 0);
    handover_writer_bytes(&hello.writer, HANDOVER_HELLO_PROGRAM, bytes_of_text(RELAY_VERSION));
    handover_writer_number(&hello.writer, HANDOVER_HELLO_VERSION_OLDEST, HANDOVER_VERSION_OLDEST);
    terms_write(config, &hello.writer);
    return handover_channel_send(&successor->channel, &hello, &wait);
}

static int say(struct successor *successor, uint16_t kind)
{
    const struct handover_wait wait = wait_of();
    struct handover_message message;

    handover_channel_begin(&message, kind, NULL, 0);
    return handover_channel_send(&successor->channel, &message, &wait);
}

int successor_take_sockets(struct successor *successor, const struct server_config *config,
                           struct listen_ports *ports, struct admin_listener *admin,
                           char error[static SUCCESSOR_ERROR_SIZE])
{
    const struct handover_wait wait = wait_of();
    struct handover_stream stream;
    char reason[SUCCESSOR_ERROR_SIZE - 64];
    int failed = send_hello(successor, config);

    failed = failed == 0 ? handover_stream_receive(&stream, &successor->channel, &wait) : failed;
    if (failed != 0) {
        return fail(failed, "sockets", error);
    }
    failed = sockets_read(ports, admin, config, &stream, reason, sizeof reason);
    if (failed != 0) {
        snprintf(error, SUCCESSOR_ERROR_SIZE, "cannot take over sockets: %s", reason);
    }
    handover_stream_consume(&stream);
    return failed;
}

static int read_state(struct conn_shared *shared, const struct run_clock *clock,
                      struct bytes stream)
{
    const struct access_context *access = &shared->access;
    struct handover_record record;
    struct handover_walk walk;
    int failed = 0;

    if (!handover_reader_begin(&walk, stream)) {
        return -EBADMSG;
    }
    while (failed == 0 && handover_reader_next(&walk, &record)) {
        if (record.kind == HANDOVER_BOOKING || record.kind == HANDOVER_CODE) {
            failed =
                bookings_handover_read(access->bookings, access->codes, &record,
                                       run_clock_at(clock, clock_monotonic_ms()), clock_wall_s());
        }
    }
    return failed == 0 && !handover_reader_is_whole(&walk) ? -EBADMSG : failed;
}

int successor_take_state(struct successor *successor, struct conn_shared *shared,
                         const struct run_clock *clock, char error[static SUCCESSOR_ERROR_SIZE])
{
    const struct handover_wait wait = wait_of();
    struct handover_stream stream;
    int failed = say(successor, HANDOVER_PREPARED);

    failed = failed == 0 ? handover_stream_receive(&stream, &successor->channel, &wait) : failed;
    if (failed != 0) {
        return fail(failed, "codes and bookings", error);
    }
    failed = read_state(shared, clock, handover_stream_bytes(&stream));
    handover_stream_consume(&stream);
    return failed == 0 ? 0
                       : fail(failed,
                              "codes and bookings (RELAY_CODES_MAX and RELAY_BOOKINGS_MAX must "
                              "leave room for what there is)",
                              error);
}

static int receive_parts(struct successor *successor)
{
    const struct handover_wait wait = wait_of();
    struct handover_message move;
    uint64_t count;
    int failed = handover_channel_await(&successor->channel, &move, HANDOVER_MOVE, &wait);

    if (failed != 0) {
        return failed;
    }
    bool is_sound =
        handover_reader_number(&move.record, HANDOVER_MOVE_STREAMS, &count) && count <= WORKERS_MAX;

    handover_channel_drop(&move);
    if (!is_sound) {
        return -EBADMSG;
    }
    for (; failed == 0 && successor->parts_count < count; successor->parts_count++) {
        failed = handover_stream_receive(&successor->parts[successor->parts_count],
                                         &successor->channel, &wait);
    }
    return failed;
}

/* Workers of the other program may have been more, or fewer. */
static void run_read(struct worker *worker, struct call *call)
{
    struct successor *successor = roll_call_of(call)->context;
    struct successor_worker *own = &successor->workers[worker->index];

    struct conn_table *table = worker->context;
    uint32_t before = table->open_count;

    for (unsigned i = worker->index; !own->has_failed && i < successor->parts_count;
         i += worker->group->workers_count) {
        struct handover_stream *part = &successor->parts[i];
        const struct live_fds fds = {.count = part->fds_count,
                                     .fds = handover_stream_take_fds(part, part->fds_count)};

        own->has_failed =
            !live_part_read(table, handover_stream_bytes(part), fds, own->error, sizeof own->error);
        handover_stream_consume(part);
    }
    counters_add(&worker->counters, connections_taken_over, table->open_count - before);
    roll_call_answer(roll_call_of(call));
}

static int read_parts(struct successor *successor, char error[static SUCCESSOR_ERROR_SIZE])
{
    const struct handover_wait wait = wait_of();
    int failed = roll_call_make(&successor->roll, run_read, &wait);

    if (failed != 0) {
        return fail(failed, "connections", error);
    }
    for (unsigned i = 0; i < successor->roll.group->workers_count; i++) {
        if (successor->workers[i].has_failed) {
            snprintf(error, SUCCESSOR_ERROR_SIZE, "cannot take over connections: %.400s",
                     successor->workers[i].error);
            return -EBADMSG;
        }
    }
    return 0;
}

int successor_take_connections(struct successor *successor, struct worker_group *group,
                               struct ring *post, char error[static SUCCESSOR_ERROR_SIZE])
{
    int failed = roll_call_init(&successor->roll, group, post, successor);

    failed = failed == 0 ? say(successor, HANDOVER_TAKEN) : failed;
    failed = failed == 0 ? receive_parts(successor) : failed;
    return failed == 0 ? read_parts(successor, error) : fail(failed, "connections", error);
}

/* The running program goes on if it does not hear this; it has ended if it cannot. */
static int say_that_it_begins(struct successor *successor)
{
    int failed = say(successor, HANDOVER_TAKEN);

    return failed == -EPIPE ? 0 : failed;
}

/* Without systemd, too; a program that does not say it has ended, or is slow. */
static void await_told(struct successor *successor)
{
    const struct handover_wait wait = {.deadline_ms = clock_monotonic_ms() + SUCCESSOR_TOLD_MS};
    struct handover_message told;

    if (handover_channel_await(&successor->channel, &told, HANDOVER_TOLD, &wait) == 0) {
        handover_channel_drop(&told);
    }
}

int successor_await_go(struct successor *successor, char error[static SUCCESSOR_ERROR_SIZE])
{
    const struct handover_wait wait = wait_of();
    struct handover_message go;
    int failed = say(successor, HANDOVER_TAKEN);

    failed =
        failed == 0 ? handover_channel_await(&successor->channel, &go, HANDOVER_GO, &wait) : failed;
    if (failed != 0) {
        return fail(failed, "the word to serve", error);
    }
    handover_channel_drop(&go);
    failed = say_that_it_begins(successor);
    if (failed != 0) {
        return fail(failed, "the word to serve", error);
    }
    await_told(successor);
    return 0;
}
