#include "server/succession/predecessor.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "server/bookings/booking_store.h"
#include "server/bookings/bookings_handover.h"
#include "server/conn/engine.h"
#include "server/conn/listener.h"
#include "server/http/booking_change.h"
#include "server/http/phase_http.h"
#include "server/succession/sockets.h"
#include "server/succession/terms.h"

enum { LOOK_AGAIN_MS = 2, STREAM_HEAD_BYTES = 4096 };

int predecessor_init(struct predecessor *predecessor, const struct config_source *source)
{
    handover_program_init(&predecessor->program, source->argc, source->argv);
    predecessor->channel.fd = -1;
    predecessor->answered_fd = eventfd(0, EFD_CLOEXEC);
    return predecessor->answered_fd < 0 ? -errno : 0;
}

void predecessor_deinit(struct predecessor *predecessor)
{
    handover_channel_close(&predecessor->channel);
    if (predecessor->answered_fd >= 0) {
        close(predecessor->answered_fd);
        predecessor->answered_fd = -1;
    }
}

bool predecessor_has_successor(const struct predecessor *predecessor)
{
    return handover_program_is_changed(&predecessor->program);
}

/* Always false. */
__attribute__((format(printf, 2, 3))) static bool fail(struct predecessor *predecessor,
                                                       const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(predecessor->error, sizeof predecessor->error, format, arguments);
    va_end(arguments);
    return false;
}

static const char *reason_of(int failed)
{
    switch (failed) {
    case -EPIPE:
        return "it ended";
    case -EBADMSG:
        return "it sent what was not expected";
    case -ETIMEDOUT:
        return "it took too long";
    case -ECANCELED:
        return "a stop was asked for";
    default:
        return strerror(-failed);
    }
}

static bool fail_at(struct predecessor *predecessor, const char *step, int failed)
{
    return fail(predecessor, "%s: %s", step, reason_of(failed));
}

/* Calls of workers, and their answers. */

static struct predecessor_call *call_of(struct call *call)
{
    return container_of(call, struct predecessor_call, call);
}

static void answer(struct predecessor *predecessor)
{
    atomic_fetch_sub(&predecessor->unanswered, 1);
    eventfd_write(predecessor->answered_fd, 1);
}

static void post(struct predecessor *predecessor, struct predecessor_call *own,
                 void (*run)(struct worker *worker, struct call *call))
{
    struct call *calls[WORKERS_MAX];

    for (unsigned i = 0; i < predecessor->group->workers_count; i++) {
        own[i] = (struct predecessor_call){.predecessor = predecessor};
        calls[i] = &own[i].call;
    }
    atomic_store(&predecessor->unanswered, predecessor->group->workers_count);
    worker_group_call(predecessor->group, predecessor->post, calls, run);
}

static int await_answers(struct predecessor *predecessor, const struct handover_wait *wait)
{
    eventfd_t ignored;
    int failed = 0;

    while (failed == 0 && atomic_load(&predecessor->unanswered) > 0) {
        failed = handover_wait_for(wait, predecessor->answered_fd, POLLIN);
        if (failed == 0) {
            eventfd_read(predecessor->answered_fd, &ignored);
        }
    }
    return failed;
}

/* Runs it on each worker, until all have answered. */
static bool ask(struct predecessor *predecessor,
                void (*run)(struct worker *worker, struct call *call))
{
    post(predecessor, predecessor->calls, run);
    int failed = await_answers(predecessor, &predecessor->wait);

    return failed == 0 || fail(predecessor, "a worker did not answer: %s", strerror(-failed));
}

/* The same for a step that cannot fail: a worker that hangs does it when it goes on. */
static void ask_back(struct predecessor *predecessor,
                     void (*run)(struct worker *worker, struct call *call))
{
    const struct handover_wait wait = {.deadline_ms =
                                           clock_monotonic_ms() + PREDECESSOR_WORKERS_MS};

    post(predecessor, predecessor->back_calls, run);
    if (await_answers(predecessor, &wait) != 0) {
        predecessor->is_stuck = true;
    }
}

/* On the workers. */

static bool is_under_way(const struct conn *conn)
{
    return conn->phase == PHASE_TLS || (conn->phase == PHASE_HTTP && !phase_http_is_idle(conn));
}

static uint32_t requests_under_way(struct conn_table *table)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < UNFINISHED_BUCKETS; i++) {
        list_for_each(node, &table->unfinished.networks[i].conns)
        {
            count += is_under_way(container_of(node, struct conn, unfinished.node));
        }
    }
    return count;
}

static void run_hold_accepts(struct worker *worker, struct call *call)
{
    listeners_hold(worker->context);
    answer(call_of(call)->predecessor);
}

static void run_look(struct worker *worker, struct call *call)
{
    struct conn_table *table = worker->context;

    call_of(call)->is_quiet = listeners_are_quiet(table);
    call_of(call)->under_way = table->deferred + table->leaving;
    if (!table->requests_held) {
        call_of(call)->under_way += requests_under_way(table);
    }
    answer(call_of(call)->predecessor);
}

static void run_hold_requests(struct worker *worker, struct call *call)
{
    engine_hold_requests(worker->context, true);
    answer(call_of(call)->predecessor);
}

static void run_go_on(struct worker *worker, struct call *call)
{
    struct conn_table *table = worker->context;

    engine_hold_requests(table, false);
    if (table->accepts_held) {
        listeners_resume(table);
    }
    answer(call_of(call)->predecessor);
}

static void run_cut(struct worker *worker, struct call *call)
{
    booking_change_cut_here(worker, call_of(call)->predecessor->denied_id);
    answer(call_of(call)->predecessor);
}

static void run_let_go(struct worker *worker, struct call *call)
{
    listeners_let_go(worker->context);
    engine_hold_requests(worker->context, false);
    answer(call_of(call)->predecessor);
}

/* The steps, in order. */

static void set_deadline(struct predecessor *predecessor, uint64_t wait_ms)
{
    predecessor->wait = (struct handover_wait){.deadline_ms = clock_monotonic_ms() + wait_ms,
                                               .go_on = predecessor->go_on,
                                               .context = predecessor->context};
}

static bool may_begin(struct predecessor *predecessor)
{
    if (getpid() == 1) {
        return fail(predecessor, "this is process 1, with which its container ends: replace that");
    }
    if (predecessor->is_stuck && atomic_load(&predecessor->unanswered) > 0) {
        return fail(predecessor, "a worker hangs");
    }
    predecessor->is_stuck = false;
    return true;
}

static bool check_options(struct predecessor *predecessor)
{
    char said[HANDOVER_SAID_SIZE] = "";
    int failed = handover_program_check(&predecessor->program, &predecessor->wait, said);

    if (failed == -EINVAL) {
        return fail(predecessor, "the new program refuses its options: %s", said);
    }
    return failed == 0 || fail_at(predecessor, "the new program cannot check its options", failed);
}

static bool start_program(struct predecessor *predecessor)
{
    struct notifier_variables variables;
    int other;
    int failed = handover_channel_open(&predecessor->channel, &other);

    if (failed != 0) {
        return fail_at(predecessor, "cannot make a socket", failed);
    }
    notifier_write_variables(predecessor->notifier, &variables);
    failed =
        handover_program_start(&predecessor->program, other, variables.list, &predecessor->pid);
    close(other);
    if (failed != 0) {
        return fail_at(predecessor, "the new program cannot be started", failed);
    }
    predecessor->is_started = true;
    predecessor->channel.peer = predecessor->pid;
    return true;
}

static bool greet(struct predecessor *predecessor)
{
    struct handover_message hello;
    int failed =
        handover_channel_await(&predecessor->channel, &hello, HANDOVER_HELLO, &predecessor->wait);

    if (failed != 0) {
        return fail_at(predecessor, "the new program does not take over", failed);
    }
    bool agree = terms_agree(predecessor->options->config, &hello.record, predecessor->error,
                             sizeof predecessor->error);

    handover_message_drop(&hello);
    return agree;
}

static bool await(struct predecessor *predecessor, uint16_t kind, const char *step)
{
    struct handover_message message;
    int failed = handover_channel_await(&predecessor->channel, &message, kind, &predecessor->wait);

    if (failed == 0) {
        handover_message_drop(&message);
    }
    return failed == 0 || fail_at(predecessor, step, failed);
}

static int send_stream(struct predecessor *predecessor, struct handover_stream *stream, size_t len,
                       size_t fds_count)
{
    int failed = handover_stream_seal(stream, len, fds_count);

    if (failed == 0) {
        failed = handover_stream_send(stream, &predecessor->channel, &predecessor->wait);
    }
    handover_stream_release(stream);
    return failed;
}

/* It may have them at once: it accepts nothing before it is told to. */
static bool give_sockets(struct predecessor *predecessor)
{
    static const char step[] = "the sockets cannot be given";
    struct handover_stream stream;
    struct handover_writer writer;
    int failed = handover_stream_open(&stream, SOCKETS_BYTES_MAX, SOCKETS_FDS_MAX);

    if (failed != 0) {
        return fail_at(predecessor, step, failed);
    }
    handover_writer_init(&writer, stream.memory, stream.size);
    size_t count = sockets_write(predecessor->ports, predecessor->admin, predecessor->admin_fd,
                                 &writer, stream.fds);

    failed = send_stream(predecessor, &stream, writer.len, count);
    return failed == 0 ? await(predecessor, HANDOVER_PREPARED, "the new program cannot serve")
                       : fail_at(predecessor, step, failed);
}

/* True: the accepts are cancelled, and nothing is under way. */
static bool look(struct predecessor *predecessor, bool *ret_is_done)
{
    if (!ask(predecessor, run_look)) {
        return false;
    }
    *ret_is_done = true;
    for (unsigned i = 0; i < predecessor->group->workers_count; i++) {
        const struct predecessor_call *call = &predecessor->calls[i];

        *ret_is_done = *ret_is_done && call->is_quiet && call->under_way == 0;
    }
    return true;
}

static int pause_a_moment(const struct handover_wait *wait)
{
    const struct handover_wait pause = {.deadline_ms = clock_monotonic_ms() + LOOK_AGAIN_MS,
                                        .go_on = wait->go_on,
                                        .context = wait->context};
    int failed = handover_wait_for(&pause, -1, 0);

    return failed == -ETIMEDOUT ? 0 : failed;
}

/* Until nothing is under way. False: that took too long, or cannot be known. */
static bool await_quiet(struct predecessor *predecessor, uint64_t until_ms, bool *ret_is_done)
{
    *ret_is_done = false;
    while (look(predecessor, ret_is_done)) {
        if (*ret_is_done || clock_monotonic_ms() >= until_ms) {
            return true;
        }
        int failed = pause_a_moment(&predecessor->wait);

        if (failed != 0) {
            return fail_at(predecessor, "requests cannot be held", failed);
        }
    }
    return false;
}

/* New connections wait in the backlogs. Those that have come get their answers, for a moment; then
 * no request is begun, so that neither codes nor bookings change any more. */
static bool hold(struct predecessor *predecessor)
{
    bool is_done;

    predecessor->is_held = true;
    predecessor->held_ms = clock_monotonic_ms();
    if (!ask(predecessor, run_hold_accepts) ||
        !await_quiet(predecessor, predecessor->held_ms + PREDECESSOR_REQUESTS_MS, &is_done) ||
        !ask(predecessor, run_hold_requests) ||
        !await_quiet(predecessor, predecessor->wait.deadline_ms, &is_done)) {
        return false;
    }
    return is_done || fail(predecessor, "requests that wait for an answer did not get it in time");
}

static bool pause_store(struct predecessor *predecessor)
{
    struct booking_store *store = predecessor->shared->store;

    if (store == NULL) {
        return true;
    }
    predecessor->is_paused = booking_store_pause(store);
    return predecessor->is_paused ||
           fail(predecessor, "the file of bookings cannot be closed: its disk does not answer");
}

static uint64_t now_of_codes(const struct predecessor *predecessor)
{
    return run_clock_at(&predecessor->group->clock, clock_monotonic_ms());
}

/* Codes and bookings; the file of these is the new program's, for as long as the store is paused.
 */
static bool give_state(struct predecessor *predecessor)
{
    static const char step[] = "codes and bookings cannot be given";
    const struct access_context *access = &predecessor->shared->access;
    struct handover_stream stream;
    struct handover_writer writer;
    int failed = handover_stream_open(
        &stream, STREAM_HEAD_BYTES + bookings_handover_size(access->bookings, access->codes), 0);

    if (failed != 0) {
        return fail_at(predecessor, step, failed);
    }
    handover_writer_init(&writer, stream.memory, stream.size);
    if (!handover_writer_prelude(&writer) ||
        !bookings_handover_write(access->bookings, access->codes, now_of_codes(predecessor),
                                 clock_wall_s(), &writer)) {
        handover_stream_consume(&stream);
        return fail_at(predecessor, step, -ENOMEM);
    }
    failed = send_stream(predecessor, &stream, writer.len, 0);
    return failed == 0 ? await(predecessor, HANDOVER_TAKEN,
                               "the new program does not take codes and bookings")
                       : fail_at(predecessor, step, failed);
}

/* systemd hears of the new main process from the old one, before the new one says that it is
 * ready. */
static bool commit(struct predecessor *predecessor)
{
    struct handover_message go;

    notifier_main_pid(predecessor->notifier, predecessor->pid);
    handover_message_begin(&go, HANDOVER_GO, NULL, 0);
    int failed = handover_channel_send(&predecessor->channel, &go, &predecessor->wait);

    if (failed != 0) {
        notifier_main_pid(predecessor->notifier, getpid());
        return fail_at(predecessor, "the new program cannot begin", failed);
    }
    return true;
}

static void let_go(struct predecessor *predecessor)
{
    uint64_t held_ms = clock_monotonic_ms() - predecessor->held_ms;

    atomic_store(&predecessor->shared->access.is_over, true);
    atomic_store(&predecessor->shared->access.is_draining, true);
    ask_back(predecessor, run_let_go);
    notifier_deinit(predecessor->notifier);
    log_warn("handed over", LOG_INT("pid", predecessor->pid), LOG_INT("held_ms", held_ms),
             LOG_INT("stayed", atomic_load(&predecessor->shared->connections)));
}

/* As it was before. */
static void take_back(struct predecessor *predecessor)
{
    handover_channel_close(&predecessor->channel);
    if (predecessor->is_started) {
        handover_program_end(predecessor->pid); /* first: the file of bookings may be open there */
    }
    if (predecessor->is_paused) {
        booking_store_resume(predecessor->shared->store);
    }
    if (predecessor->is_held) {
        ask_back(predecessor, run_go_on);
    }
    predecessor->is_started = predecessor->is_paused = predecessor->is_held = false;
    log_error("not handed over, this program goes on", LOG_TEXT("reason", predecessor->error));
}

static bool take_steps(struct predecessor *predecessor)
{
    set_deadline(predecessor, PREDECESSOR_START_MS);
    if (!may_begin(predecessor) || !check_options(predecessor)) {
        return false;
    }
    set_deadline(predecessor, PREDECESSOR_START_MS);
    if (!start_program(predecessor) || !greet(predecessor) || !give_sockets(predecessor)) {
        return false;
    }
    set_deadline(predecessor, PREDECESSOR_FREEZE_MS);
    return hold(predecessor) && pause_store(predecessor) && give_state(predecessor) &&
           commit(predecessor);
}

bool predecessor_hand_over(struct predecessor *predecessor)
{
    log_info("handing over", LOG_TEXT("program", predecessor->program.path));
    if (!take_steps(predecessor)) {
        take_back(predecessor);
        return false;
    }
    let_go(predecessor);
    return true;
}

static int carry_out(struct predecessor *predecessor, const struct handover_record *record)
{
    const struct handover_wait wait = {.deadline_ms =
                                           clock_monotonic_ms() + PREDECESSOR_WORKERS_MS};
    struct handover_message done;
    int64_t exp_s;

    if (!bookings_handover_read_denial(record, predecessor->denied_id, &exp_s)) {
        return -EBADMSG;
    }
    int full UNUSED = bookings_deny(predecessor->shared->access.bookings, predecessor->denied_id,
                                    exp_s, clock_wall_s());

    ask_back(predecessor, run_cut);
    handover_message_begin(&done, HANDOVER_DONE, NULL, 0);
    return handover_channel_send(&predecessor->channel, &done, &wait);
}

bool predecessor_serve(struct predecessor *predecessor)
{
    const struct handover_wait now = {.deadline_ms = 0};
    struct handover_message message;
    int failed;

    while ((failed = handover_channel_receive(&predecessor->channel, &message, &now)) == 0) {
        failed = carry_out(predecessor, &message.record);
        handover_message_drop(&message);
        if (failed != 0) {
            break;
        }
    }
    return failed == -ETIMEDOUT;
}
