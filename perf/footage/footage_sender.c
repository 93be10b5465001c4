#include "perf/footage/footage_sender.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "perf/footage/frames.h"

enum { NS_PER_S = 1000000000 };

struct sent {
    _Atomic uint64_t at_ns;
    _Atomic unsigned mark;
};

struct footage_sender {
    const struct footage *footage;
    size_t cut_bytes;
    struct load_transport transport;
    struct frames frames; /* pings of the server */
    pthread_t thread;
    atomic_bool is_ending;
    _Atomic unsigned mark;
    struct footage_sender_counts counts; /* the thread's, until it has ended */
    uint64_t start_ns;
    uint64_t passes;
    unsigned next; /* the picture that is sent next */
    int failed;
    struct sent sent[];
};

void footage_sender_wait_until(uint64_t due_ns)
{
    struct timespec due = {.tv_sec = (time_t)(due_ns / NS_PER_S),
                           .tv_nsec = (long)(due_ns % NS_PER_S)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) {
    }
}

/* Where the message that begins there ends. */
static size_t message_end(const struct footage_sender *sender, size_t begin)
{
    const struct footage *footage = sender->footage;
    bool is_last = sender->next + 1 >= footage->pictures_count;

    if (sender->cut_bytes > 0) {
        return begin + sender->cut_bytes < footage->len ? begin + sender->cut_bytes : footage->len;
    }
    return is_last ? footage->len : footage->pictures[sender->next].end;
}

/* Notes the pictures that are complete with the bytes up to end. */
static void pictures_note(struct footage_sender *sender, size_t end, uint64_t now_ns)
{
    const struct footage *footage = sender->footage;
    unsigned mark = atomic_load(&sender->mark);

    while (sender->next < footage->pictures_count && footage->pictures[sender->next].end <= end) {
        atomic_store(&sender->sent[sender->next].mark, mark);
        atomic_store(&sender->sent[sender->next].at_ns, now_ns);
        sender->counts.pictures[mark]++;
        sender->next++;
    }
}

static uint64_t due_ns(const struct footage_sender *sender)
{
    double pictures =
        (double)(sender->passes * sender->footage->pictures_count) + (double)sender->next;

    return sender->start_ns + (uint64_t)(pictures / sender->footage->rate * NS_PER_S);
}

static int pings_answer(struct footage_sender *sender)
{
    struct pollfd fd = {.fd = sender->transport.fd, .events = POLLIN};
    bool has_input = sender->transport.ops->has_pending(&sender->transport) ||
                     (poll(&fd, 1, 0) == 1 && fd.revents != 0);

    return has_input ? frames_read(&sender->frames) : 0;
}

static int message_send(struct footage_sender *sender, size_t begin, size_t end)
{
    uint64_t due = due_ns(sender);

    footage_sender_wait_until(due);
    uint64_t now_ns = clock_monotonic_ns();
    int failed = pings_answer(sender);

    if (now_ns - due > sender->counts.behind_ns) {
        sender->counts.behind_ns = now_ns - due;
    }
    pictures_note(sender, end, now_ns);
    return failed != 0 ? failed
                       : frames_send(&sender->transport,
                                     bytes_of(sender->footage->bytes + begin, end - begin));
}

static void *thread_main(void *ctx)
{
    struct footage_sender *sender = ctx;
    size_t begin = 0;

    while (sender->failed == 0 && !atomic_load(&sender->is_ending)) {
        size_t end = message_end(sender, begin);

        sender->failed = message_send(sender, begin, end);
        begin = end;
        if (begin == sender->footage->len) {
            begin = 0;
            sender->next = 0;
            sender->passes++;
        }
    }
    return NULL;
}

struct footage_sender *footage_sender_start(const struct footage *footage, size_t cut_bytes,
                                            struct connection *connection)
{
    struct footage_sender *sender =
        calloc(1, sizeof *sender + footage->pictures_count * sizeof sender->sent[0]);

    if (sender == NULL) {
        load_transport_close(&connection->transport);
        return NULL;
    }
    sender->footage = footage;
    sender->cut_bytes = cut_bytes;
    sender->transport = connection->transport;
    sender->frames.transport = &sender->transport;
    sender->start_ns = clock_monotonic_ns();
    sender->failed =
        frames_take(&sender->frames, bytes_of(connection->early, connection->early_len));
    if (pthread_create(&sender->thread, NULL, thread_main, sender) != 0) {
        load_transport_close(&sender->transport);
        free(sender);
        return NULL;
    }
    return sender;
}

int footage_sender_open(const struct connector *connector, const struct footage *footage,
                        size_t cut_bytes, struct footage_sender **ret_sender,
                        char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    struct connection publisher = {.early_len = 0};
    int failed = connector->open(connector->ctx, 0, CONNECTOR_PUBLISHER, &publisher, error);

    if (failed != 0) {
        return failed;
    }
    *ret_sender = footage_sender_start(footage, cut_bytes, &publisher);
    return *ret_sender != NULL
               ? 0
               : load_transport_fail(error, -ENOMEM, "no memory or thread for the publisher");
}

struct footage_sent footage_sender_sent(const struct footage_sender *sender, unsigned picture)
{
    CHECK(picture < sender->footage->pictures_count);
    return (struct footage_sent){
        .at_ns = atomic_load(&sender->sent[picture].at_ns),
        .mark = atomic_load(&sender->sent[picture].mark),
    };
}

void footage_sender_mark(struct footage_sender *sender, unsigned mark)
{
    CHECK(mark < FOOTAGE_MARKS);
    atomic_store(&sender->mark, mark);
}

void footage_sender_stop(struct footage_sender *sender)
{
    atomic_store(&sender->is_ending, true);
    pthread_join(sender->thread, NULL);
}

int footage_sender_end(struct footage_sender *sender, struct footage_sender_counts *ret_counts)
{
    if (sender == NULL) {
        return -ENOMEM;
    }
    if (!atomic_load(&sender->is_ending)) {
        footage_sender_stop(sender);
    }
    load_transport_close(&sender->transport);
    *ret_counts = sender->counts;
    int failed = sender->failed;

    free(sender);
    return failed;
}
