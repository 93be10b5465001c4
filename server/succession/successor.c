#include "server/succession/successor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/version.h"
#include "server/bookings/bookings_handover.h"
#include "server/handover/handover_stream.h"
#include "server/succession/sockets.h"
#include "server/succession/terms.h"

/* Of HANDOVER_HELLO, with those of terms.c. */
enum hello_field { HELLO_VERSION = 1 };

bool successor_init(struct successor *successor)
{
    return handover_channel_inherit(&successor->channel) != -EPERM;
}

void successor_deinit(struct successor *successor)
{
    handover_channel_close(&successor->channel);
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

    handover_message_begin(&hello, HANDOVER_HELLO, NULL, 0);
    handover_writer_bytes(&hello.writer, HELLO_VERSION, bytes_of_text(RELAY_VERSION));
    terms_write(config, &hello.writer);
    return handover_channel_send(&successor->channel, &hello, &wait);
}

static int say(struct successor *successor, uint16_t kind)
{
    const struct handover_wait wait = wait_of();
    struct handover_message message;

    handover_message_begin(&message, kind, NULL, 0);
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

    if (!handover_walk_begin(&walk, stream)) {
        return -EBADMSG;
    }
    while (failed == 0 && handover_walk_next(&walk, &record)) {
        if (record.kind == HANDOVER_BOOKING || record.kind == HANDOVER_CODE) {
            failed =
                bookings_handover_read(access->bookings, access->codes, &record,
                                       run_clock_at(clock, clock_monotonic_ms()), clock_wall_s());
        }
    }
    return failed == 0 && !handover_walk_is_whole(&walk) ? -EBADMSG : failed;
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
    handover_message_drop(&go);
    return 0;
}
