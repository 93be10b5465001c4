#include "server/succession/predecessor.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "server/bookings/booking_errands.h"
#include "server/bookings/booking_store.h"
#include "server/bookings/bookings_handover.h"
#include "server/conn/engine.h"
#include "server/conn/listener.h"
#include "server/handover/live/live_part.h"
#include "server/http/booking_change.h"
#include "server/http/phase_http.h"
#include "server/succession/sockets.h"
#include "server/succession/terms.h"

enum { STREAM_HEAD_BYTES = 4096 };

int predecessor_init(struct predecessor *predecessor, const struct config_source *source,
                     struct ring *post)
{
    handover_program_init(&predecessor->program, source->argc, source->argv);
    predecessor->channel.fd = -1;
    predecessor->is_child_of_first = getppid() == 1;
    int failed = roll_call_init(&predecessor->steps, predecessor->group, post, predecessor);
    int back_failed = roll_call_init(&predecessor->back, predecessor->group, post, predecessor);

    return failed == 0 ? back_failed : failed;
}

void predecessor_deinit(struct predecessor *predecessor)
{
    handover_channel_close(&predecessor->channel);
    roll_call_deinit(&predecessor->steps);
    roll_call_deinit(&predecessor->back);
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
    case -ENOMEM:
    case -ENOSPC:
        return "no memory is left: it takes as much again for a moment; free some, or restart";
    case -EFBIG:
        return "it is more than the limit of a file's size; raise it (LimitFSIZE=), or restart";
    default:
        return strerror(-failed);
    }
}

static bool fail_at(struct predecessor *predecessor, const char *step, int failed)
{
    return fail(predecessor, "%s: %s", step, reason_of(failed));
}

/* For those who look for the time that a hand-over takes. */
static void note(struct predecessor *predecessor, const char *step)
{
    uint64_t now_ns = clock_monotonic_ns();

    log_debug("step of a hand-over", LOG_TEXT("step", step),
              LOG_INT("us", (now_ns - predecessor->noted_ns) / 1000));
    predecessor->noted_ns = now_ns;
}

/* Runs it on each worker, until all have answered. */
static bool ask(struct predecessor *predecessor,
                void (*run)(struct worker *worker, struct call *call))
{
    int failed = roll_call_make(&predecessor->steps, run, &predecessor->wait);

    return failed == 0 || fail_at(predecessor, "a worker does not answer", failed);
}

/* The same for a step that cannot fail: a worker that hangs does it when it goes on. */
static void ask_back(struct predecessor *predecessor,
                     void (*run)(struct worker *worker, struct call *call))
{
    const struct handover_wait wait = {.deadline_ms =
                                           clock_monotonic_ms() + PREDECESSOR_WORKERS_MS};

    predecessor->is_stuck = roll_call_make(&predecessor->back, run, &wait) != 0;
}

/* On the workers. */

static struct predecessor *predecessor_of(struct call *call)
{
    return roll_call_of(call)->context;
}

static struct predecessor_worker *part_of(struct worker *worker, struct call *call)
{
    return &predecessor_of(call)->workers[worker->index];
}

/* One between two requests moves, with the bytes of the next one. */
static bool is_under_way(const struct conn *conn)
{
    struct conn_rest rest;

    return conn->phase == PHASE_TLS ||
           (conn->phase == PHASE_HTTP && !conn_phase_ops(conn)->rests(conn, &rest));
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
    listener_hold_all(worker->context);
    roll_call_answer(roll_call_of(call));
}

static void run_look(struct worker *worker, struct call *call)
{
    struct conn_table *table = worker->context;
    struct predecessor_worker *part = part_of(worker, call);

    part->is_quiet = listener_all_are_quiet(table);
    part->under_way = table->deferred + table->leaving;
    if (!table->requests_held) {
        part->under_way += requests_under_way(table);
    }
    roll_call_answer(roll_call_of(call));
}

static void run_hold_requests(struct worker *worker, struct call *call)
{
    engine_hold_requests(worker->context, true);
    roll_call_answer(roll_call_of(call));
}

static void on_frozen(struct conn_table *table)
{
    roll_call_answer(&table->shared->predecessor->steps);
}

static void run_freeze(struct worker *worker, struct call *call)
{
    live_part_freeze(worker->context, on_frozen); /* which answers */
}

static int reason_to_stop(const struct handover_writer *writer)
{
    return writer->failed != 0 ? writer->failed : -ENOMEM;
}

/* When all are frozen. */
static void run_write(struct worker *worker, struct call *call)
{
    struct predecessor_worker *part = part_of(worker, call);
    struct conn_table *table = worker->context;
    struct handover_writer writer;
    size_t fds_count = live_part_fds(table);

    part->failed = handover_stream_open(&part->stream, live_part_size(table), fds_count);
    if (part->failed == 0) {
        handover_stream_begin(&part->stream, &writer);
        part->failed = live_part_write(table, &writer, part->stream.fds)
                           ? handover_stream_seal(&part->stream, writer.len, fds_count)
                           : reason_to_stop(&writer);
    }
    roll_call_answer(roll_call_of(call));
}

static void run_go_on(struct worker *worker, struct call *call)
{
    struct conn_table *table = worker->context;

    if (worker->index == 0) {
        counters_increment(&worker->counters, handovers_refused);
    }
    live_part_thaw(table);
    engine_hold_requests(table, false);
    if (table->accepts_held) {
        listener_resume_all(table);
    }
    roll_call_answer(roll_call_of(call));
}

static void run_cut(struct worker *worker, struct call *call)
{
    booking_change_cut_here(worker, predecessor_of(call)->denied_id);
    roll_call_answer(roll_call_of(call));
}

/* A client or proxy that keeps a connection for its next request makes another one; it would be
 * answered with 503 here. */
static void end_idle(struct conn_table *table)
{
    list_for_each(node, &table->open)
    {
        struct conn *conn = container_of(node, struct conn, open_node);

        if (conn->phase == PHASE_HTTP && phase_http_is_idle(conn)) {
            conn_end(conn, CLOSE_DRAIN);
        }
    }
}

static void run_let_go(struct worker *worker, struct call *call)
{
    live_part_let_go(worker->context);
    listener_let_go_all(worker->context);
    end_idle(worker->context);
    engine_hold_requests(worker->context, false);
    roll_call_answer(roll_call_of(call));
}

/* The steps, in order. */

static bool is_to_go_on(void *supervisor)
{
    return supervisor_look(supervisor);
}

static void set_deadline(struct predecessor *predecessor, uint64_t wait_ms)
{
    predecessor->wait = (struct handover_wait){.deadline_ms = clock_monotonic_ms() + wait_ms,
                                               .go_on = is_to_go_on,
                                               .context = predecessor->supervisor};
}

/* The workers have gone on: they write no stream any more. */
static void forget_steps(struct predecessor *predecessor)
{
    roll_call_forget(&predecessor->steps);
    for (unsigned i = 0; i < predecessor->group->workers_count; i++) {
        handover_stream_release(&predecessor->workers[i].stream);
    }
    predecessor->is_stuck = false;
}

static bool may_begin(struct predecessor *predecessor)
{
    if (getpid() == 1) {
        return fail(predecessor, "this is process 1, with which its container ends: replace that");
    }
    if (predecessor->is_child_of_first && predecessor->notifier->fd < 0) {
        return fail(predecessor, "process 1 started this program, and would take its end for that "
                                 "of the relay: replace the container, or use a unit with "
                                 "Type=notify");
    }
    if (predecessor->steps.answered_fd < 0 || predecessor->back.answered_fd < 0) {
        return fail(predecessor, "there was no descriptor for it at the start");
    }
    if (!roll_call_is_over(&predecessor->back)) {
        return fail(predecessor, "a worker hangs since the last try");
    }
    if (predecessor->is_stuck) {
        forget_steps(predecessor);
    }
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

/* A program some releases from now may have forgotten the streams of this one. */
static bool is_read(struct predecessor *predecessor, const struct handover_record *hello)
{
    uint64_t oldest = HANDOVER_VERSION;

    (void)!handover_reader_number(hello, HANDOVER_HELLO_VERSION_OLDEST, &oldest);
    return oldest <= HANDOVER_VERSION ||
           fail(predecessor,
                "the new program reads version %llu of the hand-over and newer ones, "
                "this one writes %d: upgrade by a version between them, or restart",
                (unsigned long long)oldest, HANDOVER_VERSION);
}

static bool greet(struct predecessor *predecessor)
{
    struct handover_message hello;
    int failed =
        handover_channel_await(&predecessor->channel, &hello, HANDOVER_HELLO, &predecessor->wait);

    if (failed != 0) {
        return fail_at(predecessor, "the new program does not take over", failed);
    }
    bool agree = is_read(predecessor, &hello.record) &&
                 terms_agree(predecessor->options->config, &hello.record, predecessor->error,
                             sizeof predecessor->error);

    handover_channel_drop(&hello);
    return agree;
}

static bool await(struct predecessor *predecessor, uint16_t kind, const char *step)
{
    struct handover_message message;
    int failed = handover_channel_await(&predecessor->channel, &message, kind, &predecessor->wait);

    if (failed == 0) {
        handover_channel_drop(&message);
    }
    return failed == 0 || fail_at(predecessor, step, failed);
}

/* A stream of main's own making. */
static int send_written(struct predecessor *predecessor, struct handover_stream *stream, size_t len,
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
    failed = handover_stream_grow(&stream, SOCKETS_BYTES_MAX);
    if (failed != 0) {
        handover_stream_release(&stream);
        return fail_at(predecessor, step, failed);
    }
    handover_stream_begin(&stream, &writer);
    size_t count = sockets_write(predecessor->ports, predecessor->admin, predecessor->admin_fd,
                                 &writer, stream.fds);

    failed = send_written(predecessor, &stream, writer.len, count);
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
        const struct predecessor_worker *part = &predecessor->workers[i];

        *ret_is_done = *ret_is_done && part->is_quiet && part->under_way == 0;
    }
    return true;
}

/* Until nothing is under way. False: that took too long, or cannot be known. */
static bool await_quiet(struct predecessor *predecessor, uint64_t until_ms, bool *ret_is_done)
{
    *ret_is_done = false;
    while (look(predecessor, ret_is_done)) {
        if (*ret_is_done || clock_monotonic_ms() >= until_ms) {
            return true;
        }
        int failed = handover_wait_a_moment(&predecessor->wait);

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
    handover_stream_begin(&stream, &writer);
    if (!handover_writer_prelude(&writer) ||
        !bookings_handover_write(access->bookings, access->codes, now_of_codes(predecessor),
                                 clock_wall_s(), &writer)) {
        handover_stream_consume(&stream);
        return fail_at(predecessor, step, reason_to_stop(&writer));
    }
    failed = send_written(predecessor, &stream, writer.len, 0);
    return failed == 0 ? await(predecessor, HANDOVER_TAKEN,
                               "the new program does not take codes and bookings")
                       : fail_at(predecessor, step, failed);
}

static bool give_streams(struct predecessor *predecessor)
{
    static const char step[] = "the connections cannot be given";
    struct handover_message move;

    handover_channel_begin(&move, HANDOVER_MOVE, NULL, 0);
    handover_writer_number(&move.writer, HANDOVER_MOVE_STREAMS, predecessor->group->workers_count);
    int failed = handover_channel_send(&predecessor->channel, &move, &predecessor->wait);

    for (unsigned i = 0; failed == 0 && i < predecessor->group->workers_count; i++) {
        struct predecessor_worker *part = &predecessor->workers[i];

        if (part->failed != 0) {
            return fail_at(predecessor, "the connections cannot be written", part->failed);
        }
        predecessor->moved += (uint32_t)part->stream.fds_count;
        failed = handover_stream_send(&part->stream, &predecessor->channel, &predecessor->wait);
    }
    return failed == 0 || fail_at(predecessor, step, failed);
}

/* From here on, until it is done or taken back, no connection receives or sends. */
static bool give_connections(struct predecessor *predecessor)
{
    predecessor->frozen_ms = clock_monotonic_ms();
    predecessor->moved = 0;
    if (!ask(predecessor, run_freeze)) {
        return false;
    }
    note(predecessor, "freeze");
    if (!ask(predecessor, run_write)) {
        return false;
    }
    note(predecessor, "write");
    return give_streams(predecessor) &&
           await(predecessor, HANDOVER_TAKEN, "the new program does not take the connections");
}

static void end_program(struct predecessor *predecessor)
{
    if (predecessor->is_started) {
        handover_program_end(predecessor->pid);
        predecessor->is_started = false;
    }
}

static bool look_only(void *supervisor)
{
    bool is_to_stop UNUSED = supervisor_look(supervisor);

    return true;
}

/* The last step that can fail. The new program answers before it begins with anything: one that
 * has ended without an answer has touched nothing. A stop that is asked for meanwhile waits until
 * it is known which program serves. */
static bool commit(struct predecessor *predecessor)
{
    static const char step[] = "the new program does not begin";
    const struct handover_wait wait = {.deadline_ms = predecessor->wait.deadline_ms,
                                       .go_on = look_only,
                                       .context = predecessor->supervisor};
    const struct handover_wait now = {.deadline_ms = 0};
    struct handover_message message;

    handover_channel_begin(&message, HANDOVER_GO, NULL, 0);
    int failed = handover_channel_send(&predecessor->channel, &message, &wait);

    if (failed != 0) {
        return fail_at(predecessor, step, failed);
    }
    failed = handover_channel_await(&predecessor->channel, &message, HANDOVER_TAKEN, &wait);
    if (failed != 0) {
        end_program(predecessor);
        if (handover_channel_await(&predecessor->channel, &message, HANDOVER_TAKEN, &now) != 0) {
            return fail_at(predecessor, step, failed);
        }
    }
    handover_channel_drop(&message);
    return true;
}

/* After the commit, as systemd takes nothing more from this process then; and before the new one
 * says that it is ready, which waits for this. */
static void tell_systemd(struct predecessor *predecessor)
{
    struct handover_message told;

    notifier_main_pid(predecessor->notifier, predecessor->pid);
    notifier_deinit(predecessor->notifier);
    handover_channel_begin(&told, HANDOVER_TOLD, NULL, 0);
    (void)!handover_channel_send(&predecessor->channel, &told, &predecessor->wait);
}

static void let_go(struct predecessor *predecessor)
{
    uint64_t now_ms = clock_monotonic_ms();

    tell_systemd(predecessor);
    atomic_store(&predecessor->shared->access.is_over, true);
    atomic_store(&predecessor->shared->access.is_draining, true);
    ask_back(predecessor, run_let_go);
    forget_steps(predecessor);
    /* A program before this one ends what it has: nothing passes denials on to it any more. */
    booking_errands_close(predecessor->shared->errands);
    predecessor->shared->errands = NULL;
    predecessor->admin->path = NULL; /* the socket there is the other program's */
    log_warn("handed over", LOG_INT("pid", predecessor->pid), LOG_INT("moved", predecessor->moved),
             LOG_INT("stayed", atomic_load(&predecessor->shared->connections)),
             LOG_INT("gap_ms", now_ms - predecessor->frozen_ms),
             LOG_INT("held_ms", now_ms - predecessor->held_ms));
}

/* As it was before. */
static void take_back(struct predecessor *predecessor)
{
    handover_channel_close(&predecessor->channel);
    end_program(predecessor); /* first: the file of bookings may be open there */
    if (predecessor->is_paused) {
        booking_store_resume(predecessor->shared->store);
    }
    if (roll_call_is_over(&predecessor->back)) { /* or nothing has begun */
        ask_back(predecessor, run_go_on);
    }
    if (!predecessor->is_stuck) {
        forget_steps(predecessor);
    }
    predecessor->is_paused = false;
    log_error("not handed over, this program goes on", LOG_TEXT("reason", predecessor->error));
}

static bool take_steps(struct predecessor *predecessor)
{
    predecessor->noted_ns = clock_monotonic_ns();
    set_deadline(predecessor, PREDECESSOR_START_MS);
    if (!may_begin(predecessor) || !check_options(predecessor)) {
        return false;
    }
    set_deadline(predecessor, PREDECESSOR_START_MS);
    if (!start_program(predecessor) || !greet(predecessor) || !give_sockets(predecessor)) {
        return false;
    }
    set_deadline(predecessor, PREDECESSOR_FREEZE_MS);
    note(predecessor, "start");
    if (!hold(predecessor)) {
        return false;
    }
    note(predecessor, "hold");
    if (!pause_store(predecessor) || !give_state(predecessor)) {
        return false;
    }
    note(predecessor, "state");
    if (!give_connections(predecessor)) {
        return false;
    }
    note(predecessor, "take");
    return commit(predecessor);
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
    if (!roll_call_is_over(&predecessor->back)) {
        return -ETIMEDOUT; /* a worker hangs: all ends, so that the denial holds */
    }
    int full UNUSED = bookings_deny(predecessor->shared->access.bookings, predecessor->denied_id,
                                    exp_s, clock_wall_s());

    ask_back(predecessor, run_cut);
    if (predecessor->is_stuck) {
        return -ETIMEDOUT;
    }
    handover_channel_begin(&done, HANDOVER_DONE, NULL, 0);
    return handover_channel_send(&predecessor->channel, &done, &wait);
}

/* As the supervisor sees it */

/* Another program stands in the file from which this one was started. */
static bool is_wanted(void *context)
{
    const struct predecessor *predecessor = context;

    return handover_program_is_changed(&predecessor->program);
}

/* True: the other program is the relay, and this one is to drain what stayed. False: a line in the
 * log says why, and nothing has changed. */
static bool hand_over(void *context)
{
    struct predecessor *predecessor = context;

    log_info("handing over", LOG_TEXT("program", predecessor->program.path));
    if (!take_steps(predecessor)) {
        take_back(predecessor);
        return false;
    }
    let_go(predecessor);
    return true;
}

/* While what stayed drains: carries out denials that the other program sends. False: one cannot be
 * carried out, or that program has ended, so that none would come any more: what is left must end,
 * too. */
static bool serve(void *context)
{
    struct predecessor *predecessor = context;
    const struct handover_wait now = {.deadline_ms = 0};
    struct handover_message message;
    int failed;

    while ((failed = handover_channel_receive(&predecessor->channel, &message, &now)) == 0) {
        bool is_carried_out = carry_out(predecessor, &message.record) == 0;

        handover_channel_drop(&message);
        if (!is_carried_out) {
            return false;
        }
    }
    return failed == -ETIMEDOUT;
}

/* A signal that was meant for the relay. It is a child of this process, and not reaped. */
static void pass_on(void *context, int signal_number)
{
    const struct predecessor *predecessor = context;

    if (predecessor->is_started) {
        kill(predecessor->pid, signal_number);
    }
}

bool predecessor_successor_failed(const struct predecessor *predecessor)
{
    siginfo_t ended = {0};

    if (!atomic_load(&predecessor->shared->access.is_over)) {
        return false;
    }
    if (!predecessor->is_started) {
        return true; /* it hung after its answer, and was ended */
    }
    /* Its status is left for the process that reaps it. */
    return waitid(P_PID, (id_t)predecessor->pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           ended.si_pid != 0 && !(ended.si_code == CLD_EXITED && ended.si_status == 0);
}

struct supervisor_succession predecessor_as_seen(struct predecessor *predecessor)
{
    return (struct supervisor_succession){.is_wanted = is_wanted,
                                          .hand_over = hand_over,
                                          .serve = serve,
                                          .pass_on = pass_on,
                                          .context = predecessor};
}
